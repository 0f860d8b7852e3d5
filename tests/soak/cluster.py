"""The processes of a run, real ones, and what is done to them."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from slicewire.client.local.broker import Broker, find_binary
from slicewire.client.local.processes import Child, Command
from tests.soak import slowdisk
from tests.soak.plan import Fault

_DELAY_MILLISECONDS = 40
"""Of each write and each sync while the disk is slow: a fact is a write to each of two streams."""
ALLOCATOR = "slicewire-allocator"


class Cluster:
    """A server and allocators, and the faults that they suffer."""

    def __init__(self, folder: Path, broker: Broker, allocators: tuple[Child, ...]) -> None:
        self.broker = broker
        self.allocators = allocators
        self._slow = folder / "slow"
        self._server = asyncio.Lock()

    async def suffer(self, fault: Fault) -> None:
        """Returns when it is over."""
        child = self.allocators[fault.target]
        match fault.what:
            case "kill allocator":
                child.kill()
            case "pause allocator":
                with _paused(child.pid):
                    await asyncio.sleep(fault.seconds)
            case "kill server":
                async with self._server:
                    await self.broker.kill()
                    await self.broker.start()
            case "pause server":
                async with self._server:
                    with _paused(self.broker.pid):
                        await asyncio.sleep(fault.seconds)
            case "slow disk":
                self._slow.write_text(str(_DELAY_MILLISECONDS))
                try:
                    await asyncio.sleep(fault.seconds)
                finally:
                    self._slow.unlink(missing_ok=True)
            case _:
                raise ValueError(f"there is no fault {fault.what!r}")


@contextmanager
def _paused(pid: int | None) -> Iterator[None]:
    """SIGSTOP: it knows nothing of the time that passes."""
    if pid is None:
        yield
        return
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


@asynccontextmanager
async def running(folder: Path, allocators: int, program: str = ALLOCATOR) -> AsyncIterator[Cluster]:
    """A server that syncs every write, on a disk that can be slow, and as many allocators."""
    broker = Broker(folder / "nats", binary=_server(folder))
    await broker.start()
    children = tuple(
        Child(_allocator(folder, number, program, broker.url), lambda _: None)
        for number in range(1, allocators + 1)
    )
    tasks = [asyncio.create_task(child.keep()) for child in children]
    try:
        yield Cluster(folder, broker, children)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(child.stop() for child in children))
        await broker.stop()


def _server(folder: Path) -> Path:
    settings = folder / "nats.conf"
    settings.write_text("jetstream { sync_interval: always }\n")
    command = [str(find_binary()), "-c", str(settings)]
    if slowdisk.available():
        command = [sys.executable, "-m", "tests.soak.slowdisk", str(folder / "slow"), *command]
    return _script(folder / "nats-server", command)


def module(folder: Path, name: str, *arguments: str) -> str:
    """A module of ours as a program."""
    return str(_script(folder / name, [sys.executable, "-m", name, *arguments]))


def _script(path: Path, command: list[str]) -> Path:
    root = Path(__file__).parents[2]
    path.write_text(f'#!/bin/sh\ncd {shlex.quote(str(root))} && exec {shlex.join(command)} "$@"\n')
    path.chmod(0o755)
    return path


def _allocator(folder: Path, number: int, program: str, url: str) -> Command:
    name = f"allocator-{number}"
    environ = {
        "SLICEWIRE_NATS_URL": url,
        "SLICEWIRE_LOG_FORMAT": "text",
        "SLICEWIRE_ALLOCATOR_INSTANCE": name,
    }
    return Command(name, program, environ, folder / f"{name}.log")
