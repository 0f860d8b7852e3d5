"""The fault matrix of the real command: settings from the environment, a nats-server, a kubelet's sockets.

    python -m tests.faults.command [--all] [word of a kind ...]

As in matrix.py, but the process that is killed is `slicewire-node-prep` itself, and so is the one that comes
after it. It takes seconds for each moment: of each kind a few are taken, spread over its life, and by turns
the next process is asked to prepare again, or only to unprepare. `--all` takes every moment, both ways.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import grpc.aio

from slicewire.client.local import broker
from slicewire.common.bus.nats import connected
from slicewire.common.messages import INVENTORY, LEDGERS
from tests.component.node_prep.harness import Disk, asked
from tests.component.node_prep.mps import cleared
from tests.component.node_prep.process import Process, started
from tests.faults.doom import MOMENTS
from tests.faults.entry import ASKED
from tests.faults.kinds import KINDS, Kind
from tests.faults.matrix import CLEAN, Expected, Row, Trial, printed
from tests.faults.node import difference, seen
from tests.faults.told import facts_of
from tests.kubelet.client import Kubelet, KubeletError, Plugin
from tests.unit.node_prep.builders import DRIVER

_NEVER = -1
_START_SECONDS, _SWEEP_SECONDS, _SCAN_SECONDS = 30.0, 2.0, 0.05
_FEW, _ALL = 6, 10_000
_AGAIN, _OVER = "again", "over"


class CommandTrial(Trial):
    """The chosen moments of one kind."""

    def __init__(self, kind: Kind, folder: Path, few: int) -> None:
        super().__init__(kind, folder, None)
        self._few = few

    async def rows(self) -> AsyncIterator[Row]:
        expected = await self._expected()
        for at, ways in _chosen(len(expected.moments), self._few):
            step, call, when = expected.moments[at]
            results = [await self._dies(at, way, expected) for way in ways]
            result = next((one for one in results if one != CLEAN), CLEAN)
            yield Row(self._kind.name, step, call, when, result)

    async def _expected(self) -> Expected:
        folder = self._copy("new", "without-fault")
        before = seen(folder)
        with cleared(Disk(folder).mps.root):
            async with self._serving(folder, _NEVER) as (process, plugin):
                (folder / ASKED).touch()
                await plugin.prepare([asked()])
                prepared = seen(folder)
                await _unprepared(plugin)
                moments = _moments(folder)
                assert await process.stop() == 0
            return Expected(before, prepared, seen(folder), moments)

    async def _dies(self, at: int, way: str, expected: Expected) -> str:
        folder = self._copy("new", f"{way}-{at}")
        with cleared(Disk(folder).mps.root):
            async with self._serving(folder, at) as (process, plugin):
                (folder / ASKED).touch()
                with suppress(grpc.aio.AioRpcError):
                    await plugin.prepare([asked()])
                    await _unprepared(plugin)
                status, _ = await process.exited()
            if status != -signal.SIGKILL:
                return f"was not killed: ended with {status}"
            async with self._serving(folder, None) as (_, plugin):
                return await _after(folder, plugin, way, expected)

    @asynccontextmanager
    async def _serving(self, folder: Path, at: int | None) -> AsyncIterator[tuple[Process, Plugin]]:
        """The command as it is where `at` is None."""
        disk, facts = Disk(folder), facts_of(folder)
        command = ("slicewire.node_prep",) if at is None else ("tests.faults.entry", str(folder), str(at))
        async with broker.running(folder / "nats") as server:
            async with connected(server.url, name="author") as bus:
                await bus.tell(INVENTORY, facts.pool)
                await bus.tell(LEDGERS, facts.ledger)
            settings = {"NODE_PREP_DEVICE_METADATA": str(facts.describes).lower()}
            dead = _sockets(disk)
            async with started(disk, server.url, command=command, **settings) as process:
                async with asyncio.timeout(_START_SECONDS):
                    while not _sockets(disk) - dead:  # as a kubelet, which goes on trying
                        await asyncio.sleep(_SCAN_SECONDS)
                async with Kubelet(disk.registry_dir).registered(DRIVER) as plugin:
                    yield process, plugin


async def _after(folder: Path, plugin: Plugin, way: str, expected: Expected) -> str:
    if way == _AGAIN:
        try:
            await plugin.prepare([asked()])
        except KubeletError as refused:
            return f"not prepared again: {refused}"
        if (now := seen(folder)) != expected.prepared:
            return f"prepared otherwise: {difference(now, expected.prepared)}"
    await _unprepared(plugin)
    with suppress(TimeoutError):
        async with asyncio.timeout(_SWEEP_SECONDS):
            while seen(folder) != expected.after:  # what no journal knows is removed after the answer
                await asyncio.sleep(_SCAN_SECONDS)
    now = seen(folder)
    return CLEAN if now in (expected.after, expected.before) else f"left: {difference(now, expected.after)}"


def _sockets(disk: Disk) -> set[tuple[str, int]]:
    """One that is made anew is younger; that of a killed process stays."""
    return {(path.name, path.stat().st_ctime_ns) for path in Kubelet(disk.registry_dir).sockets()}


async def _unprepared(plugin: Plugin) -> None:
    errors = await plugin.unprepare([asked()])
    assert set(errors.values()) == {""}, errors


def _moments(folder: Path) -> tuple[tuple[str, str, str], ...]:
    lines = (folder / MOMENTS).read_text().splitlines()
    return tuple((step, call, when) for step, call, when in (line.split("\t") for line in lines))


def _chosen(count: int, few: int) -> Iterable[tuple[int, tuple[str, ...]]]:
    if count <= few:
        return ((at, (_AGAIN, _OVER)) for at in range(count))
    spread = sorted({number * (count - 1) // (few - 1) for number in range(few)})
    return ((at, ((_AGAIN, _OVER)[turn % 2],)) for turn, at in enumerate(spread))


async def command_matrix(kinds: Iterable[Kind], folder: Path, few: int = _FEW) -> AsyncIterator[Row]:
    for number, kind in enumerate(kinds):
        trial = CommandTrial(kind, folder / str(number), few)
        trial.set_up()
        async for row in trial.rows():
            yield row


async def _printed(words: list[str], few: int) -> bool:
    kinds = [kind for kind in KINDS if all(word in kind.name for word in words)]
    every = "every moment, both ways" if few == _ALL else f"{few} moments of each kind, spread over its life"
    sys.stdout.write(f"the real command, killed in {every}\n")
    with tempfile.TemporaryDirectory(prefix="sw-") as folder:
        return await printed(command_matrix(kinds, Path(folder), few))


def main() -> None:
    words = [word for word in sys.argv[1:] if word != "--all"]
    few = _ALL if "--all" in sys.argv else _FEW
    sys.exit(0 if asyncio.run(_printed(words, few)) else 1)


if __name__ == "__main__":
    main()
