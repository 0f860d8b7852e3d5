"""One life of node-prep in a process of its own, which kills itself (kill -9) at a chosen moment.

The moments are before and after everything that changes the node: every `do` and `undo` of every step,
every write of the journal, and every operation on the disk (disk.py). They are counted from 0, in the order
in which they come.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from slicewire.node_prep.boot import boot_id
from slicewire.node_prep.core.entry import Asker
from slicewire.node_prep.core.plan import PreparePlan
from slicewire.node_prep.core.refusal import PrepareRefusal
from slicewire.node_prep.core.steps import Notes, PlanStep
from slicewire.node_prep.executors import Executor
from slicewire.node_prep.files import Kept
from slicewire.node_prep.journal import Journal
from slicewire.node_prep.preparation import Preparation
from tests.component.node_prep.harness import Disk, Service, Wanted
from tests.faults.disk import operation
from tests.faults.told import bus_of, facts_of
from tests.unit.node_prep.builders import a_claim

MOMENTS = "moments.txt"
"""Where a life writes down the moments that it has come to."""
JOURNAL = "journal"


class Doom:
    """Kills this process at moment number `at`; never, where that is None."""

    def __init__(self, folder: Path, at: int | None) -> None:
        self._folder = folder
        self._at = at
        self._seen = (folder / MOMENTS).open("w")
        self._count = 0
        self._counting = threading.Lock()
        self._since: Path | None = None

    def listen(self, since: Path | None = None) -> None:
        """Until this process ends, operations on the disk are moments too, once this file is there."""
        self._since = since
        sys.addaudithook(self._audit)

    def reached(self, step: str, call: str, when: str) -> None:
        with self._counting:
            self._seen.write(f"{step}\t{call}\t{when}\n")
            self._seen.flush()
            if self._count == self._at:
                os.kill(os.getpid(), signal.SIGKILL)
            self._count += 1

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        found = operation(self._folder, event, args)
        if found is not None and (self._since is None or self._since.exists()):
            self.reached(*found, "before")


class DoomedExecutor:
    def __init__(self, inner: Executor[Any], doom: Doom) -> None:
        self._inner = inner
        self._doom = doom

    def ready(self, step: PlanStep, plan: PreparePlan) -> Notes | PrepareRefusal | None:
        return self._inner.ready(step, plan)

    def do(self, step: PlanStep, plan: PreparePlan) -> Notes | PrepareRefusal:
        self._doom.reached(_name(step), "do", "before")
        done = self._inner.do(step, plan)
        self._doom.reached(_name(step), "do", "after")
        return done

    def undo(self, step: PlanStep, plan: PreparePlan, notes: Notes) -> PrepareRefusal | None:
        self._doom.reached(_name(step), "undo", "before")
        undone = self._inner.undo(step, plan, notes)
        self._doom.reached(_name(step), "undo", "after")
        return undone

    def found(self, step: PlanStep, plan: PreparePlan, notes: Notes) -> bool | PrepareRefusal:
        return self._inner.found(step, plan, notes)


class DoomedJournal(Journal):
    def __init__(self, path: Path, boot: str, doom: Doom) -> None:
        super().__init__(path, boot)
        self._doom = doom

    def _write(self, kept: Kept) -> None:
        self._doom.reached(JOURNAL, "write", "before")
        super()._write(kept)
        self._doom.reached(JOURNAL, "write", "after")


def live(folder: Path, at: int | None, *, to_the_end: bool = True) -> None:
    """Start, prepare the claim, unprepare it (unless not `to_the_end`), and stop; as far as it comes."""
    doom = Doom(folder, at)
    with closing(Disk(folder).open_nvml()) as nvml:
        nvml.look()  # a simulated node is painted once, before anything is counted
    doom.listen()
    asyncio.run(_live(folder, doom, to_the_end))


async def _live(folder: Path, doom: Doom, to_the_end: bool) -> None:
    disk = Disk(folder)
    with closing(disk.open_nvml()) as nvml:
        doomed = {kind: DoomedExecutor(one, doom) for kind, one in disk.executors(nvml).items()}
        journal = DoomedJournal(disk.checkpoint, boot_id(nvml.sysfs_root), doom)
        service = Service(
            disk,
            nvml,
            Wanted(
                with_kubelet=False,
                ledger_wait_seconds=5.0,
                preparation=Preparation(journal, doomed, disk.cdi_root),
                describes=facts_of(folder).describes,
            ),
        )
        async with service.running(partial(bus_of, folder)):
            prepared = await service.node_prep.prepare(a_claim(), Asker.BUS, {})
            assert isinstance(prepared, tuple), prepared
            if to_the_end:
                refusal = await service.node_prep.unprepare(a_claim(), Asker.BUS, {})
                assert refusal is None, refusal


def _name(step: PlanStep) -> str:
    return type(step).__name__
