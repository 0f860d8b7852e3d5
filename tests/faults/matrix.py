"""The fault matrix: node-prep is killed (kill -9) at every moment of its work, and started again.

    python -m tests.faults.matrix [word of a kind ...]

For each way of preparing a device, a life without a fault says which moments there are and how the node
is while the claim is prepared and after it. Then, twice for each moment, a process is killed there, and
another starts where it was: one is asked to prepare again and to unprepare, one only to unprepare. Clean is:
prepared is as without a fault, and after it nothing of the claim is left.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from slicewire.common.messages import LedgerWritten, PoolObserved
from slicewire.node_prep.core.entry import Asker
from tests.component.node_prep.harness import Disk, Service, Wanted, held
from tests.component.node_prep.mps import cleared
from tests.component.node_prep.workbench import Workbench
from tests.faults.doom import MOMENTS, live
from tests.faults.kinds import KINDS, Kind
from tests.faults.node import Node, difference
from tests.faults.node import seen as seen_now
from tests.faults.told import Facts, bus_of, facts_of, tell
from tests.unit.node_prep.builders import DRIVER, NODE, POOL, a_claim

_LIFE_SECONDS, _SWEEP_SECONDS = 60.0, 5.0
_LIVES = 3
CLEAN = "clean"


class Row(msgspec.Struct, frozen=True):
    """One moment, and what came of being killed there."""

    kind: str
    step: str
    call: str
    when: str
    result: str

    def __str__(self) -> str:
        return f"{self.kind:44}{self.step:40}{self.call:7}{self.when:7}{self.result}"


class Expected(msgspec.Struct, frozen=True):
    """How the node is without a fault."""

    before: Node
    prepared: Node
    after: Node
    moments: tuple[tuple[str, str, str], ...]


async def matrix(
    kinds: Iterable[Kind], folder: Path, trials: type[Trial] | None = None
) -> AsyncIterator[Row]:
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["tests.faults.doom"])
    for number, kind in enumerate(kinds):
        trial = (trials or Trial)(kind, folder / str(number), processes)
        trial.set_up()
        async for row in trial.rows():
            yield row


class Trial:
    """All moments of one kind."""

    def __init__(self, kind: Kind, folder: Path, processes: Any) -> None:
        self._kind = kind
        self._folder = folder
        self._processes = processes

    def set_up(self) -> None:
        node = Workbench(self._folder / "new")
        with closing(node.nvml):
            devices = self._kind.devices(node)
            names = (device.name for device in devices)
            entry = held("claim-1", *names, config=self._kind.config, **self._kind.result)
            pool = PoolObserved(node=NODE, driver=DRIVER, pool=POOL, generation=1, devices=devices)
            ledger = LedgerWritten(node=NODE, driver=DRIVER, entries=(entry,))
            tell(node.folder, Facts(pool=pool, ledger=ledger, describes=self._kind.describes))

    async def rows(self) -> AsyncIterator[Row]:
        expected = await self._without_fault()
        if isinstance(expected, str):
            yield Row(self._kind.name, "all", "-", "-", expected)
            return
        for at, (step, call, when) in enumerate(expected.moments):
            result = await self._killed(at, expected)
            yield Row(self._kind.name, step, call, when, result)

    async def _without_fault(self) -> Expected | str:
        """Or what went wrong even so."""
        prepared, after = self._copy("new", "prepared"), self._copy("new", "after")
        before = seen_now(after)
        with cleared(Disk(prepared).mps.root):
            for folder, to_the_end in ((prepared, False), (after, True)):
                status = await self._life(folder, None, to_the_end=to_the_end)
                if status != 0:
                    return f"a life without a fault ended with {status}"
            while_prepared = seen_now(prepared)
        moments = tuple(tuple(line.split("\t")) for line in (after / MOMENTS).read_text().splitlines())
        return Expected(before, while_prepared, seen_now(after), msgspec.convert(moments, Any))

    async def _killed(self, at: int, expected: Expected) -> str:
        for name, then in (("again", self._again), ("over", self._over)):
            folder = self._folder / f"{name}-{at}"
            with cleared(Disk(folder).mps.root):
                status = await self._death(folder, at)
                if status != -signal.SIGKILL:
                    return f"was not killed: ended with {status}"
                self._left(folder)
                result = await then(folder, expected)
            shutil.rmtree(folder)
            if result != CLEAN:
                return result
        return CLEAN

    async def _death(self, folder: Path, at: int) -> int:
        """Threads do not always take turns as they did: a life that had fewer moments is begun anew."""
        for _ in range(_LIVES):
            self._copy("new", folder.name)
            status = await self._life(folder, at, to_the_end=True)
            if status != 0:
                return status
            shutil.rmtree(folder)
        return 0

    def _left(self, folder: Path) -> None:
        """What the killed process has left is all there."""

    async def _life(self, folder: Path, at: int | None, *, to_the_end: bool) -> int:
        process = self._processes.Process(target=live, args=(folder, at), kwargs={"to_the_end": to_the_end})
        process.start()
        await asyncio.to_thread(process.join, _LIFE_SECONDS)
        if process.exitcode is None:
            process.kill()
            process.join()
        return int(process.exitcode)

    async def _again(self, folder: Path, expected: Expected) -> str:
        """Asked to prepare it again, then to unprepare it."""
        async with AsyncExitStack() as opened:
            service = await _started(folder, opened)
            prepared = await service.node_prep.prepare(a_claim(), Asker.BUS, {})
            if not isinstance(prepared, tuple):
                return f"not prepared again: {prepared.reason}"
            if (seen := seen_now(folder)) != expected.prepared:
                return f"prepared otherwise: {difference(seen, expected.prepared)}"
            return await _unprepared(service, folder, expected)

    async def _over(self, folder: Path, expected: Expected) -> str:
        """Asked to unprepare it only."""
        async with AsyncExitStack() as opened:
            service = await _started(folder, opened)
            return await _unprepared(service, folder, expected)

    def _copy(self, source: str, name: str) -> Path:
        return Path(shutil.copytree(self._folder / source, self._folder / name, symlinks=True))


async def _started(folder: Path, opened: AsyncExitStack) -> Service:
    disk = Disk(folder)
    nvml = opened.enter_context(closing(disk.open_nvml()))
    wanted = Wanted(with_kubelet=False, ledger_wait_seconds=5.0, describes=facts_of(folder).describes)
    service = Service(disk, nvml, wanted)
    return await opened.enter_async_context(service.running(partial(bus_of, folder)))


async def _unprepared(service: Service, folder: Path, expected: Expected) -> str:
    refusal = await service.node_prep.unprepare(a_claim(), Asker.BUS, {})
    if refusal is not None:
        return f"not unprepared: {refusal.reason}"
    wanted = (expected.after, *(() if expected.before.leftovers else (expected.before,)))
    change = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(_SWEEP_SECONDS):
            while seen_now(folder) not in wanted:  # what no journal knows is removed after the answer
                change = await service.hearing.next_change(change, at_most_seconds=0.05)
    seen = seen_now(folder)
    return CLEAN if seen in wanted else f"left behind: {difference(seen, expected.after)}"


async def printed(rows: AsyncIterator[Row]) -> bool:
    """One table; whether all of it is clean."""
    count = clean = 0
    async for row in rows:
        count, clean = count + 1, clean + (row.result == CLEAN)
        sys.stdout.write(f"{row}\n")
        sys.stdout.flush()
    sys.stdout.write(f"clean: {clean} of {count}\n")
    return 0 < count == clean


async def _printed(words: list[str]) -> bool:
    kinds = [kind for kind in KINDS if all(word in kind.name for word in words)]
    with tempfile.TemporaryDirectory(prefix="sw-") as folder:
        return await printed(matrix(kinds, Path(folder)))


def main() -> None:
    sys.exit(0 if asyncio.run(_printed(sys.argv[1:])) else 1)


if __name__ == "__main__":
    main()
