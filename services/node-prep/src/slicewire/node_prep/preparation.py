"""A claim is prepared, made whole again, removed: its entry in the journal and the steps of its plan.

Every step is safe to do twice. Whoever calls holds the claim and the GPUs of its devices. The work on one
claim is done in one thread, from its first step to its last write.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import ParamSpec, TypeVar

from slicewire.common import telemetry
from slicewire.common.logs import Log
from slicewire.common.model import ClaimUID, DeviceName, TraceParent
from slicewire.node_prep import files
from slicewire.node_prep.core import cdi
from slicewire.node_prep.core.checkpoint import Checkpoint
from slicewire.node_prep.core.entry import Asker, Entry
from slicewire.node_prep.core.leftovers import devices_in
from slicewire.node_prep.core.lifecycle import State
from slicewire.node_prep.core.plan import PreparePlan
from slicewire.node_prep.core.refusal import PrepareRefusal
from slicewire.node_prep.core.steps import Step
from slicewire.node_prep.executors.port import Executors
from slicewire.node_prep.files import Kept
from slicewire.node_prep.journal import Change, Journal
from slicewire.node_prep.saga import Saga

P = ParamSpec("P")
T = TypeVar("T")
_log = Log("node-prep")


class Preparation:
    def __init__(self, journal: Journal, executors: Executors, cdi_root: Path) -> None:
        self._journal = journal
        self._saga = Saga(journal, executors)
        self._cdi_root = cdi_root
        self._strays: frozenset[ClaimUID] = frozenset()
        self._predecessor = journal.predecessor(cdi_root)
        self._inherited: frozenset[ClaimUID] = frozenset()
        """Those of the strays that NVIDIA's driver has prepared."""
        self._over: frozenset[ClaimUID] = frozenset()

    @property
    def checkpoint(self) -> Checkpoint:
        return self._journal.checkpoint

    async def prepare(self, plan: PreparePlan, asked_by: Asker, trace: TraceParent) -> PrepareRefusal | None:
        """Raises `DiskFault`. The devices are reserved before anything is waited for."""
        if plan.claim.uid in self._inherited and (refusal := self._predecessor.obstacle(plan)):
            return refusal
        self._reserve(plan, asked_by, trace)
        return await _to_the_end(self._prepare, plan.claim.uid)

    async def sweep_up(self, plan: PreparePlan, asked_by: Asker) -> PrepareRefusal | None:
        """Remove what was prepared by this plan, of which only the CDI file is known. Raises `DiskFault`."""
        self._reserve(plan, asked_by, TraceParent(""))
        return await self.remove(plan.claim.uid)

    async def restore(self, uid: ClaimUID) -> PrepareRefusal | None:
        """What a reboot or another hand took is made again; what is there is left alone. Raises
        `DiskFault`."""
        return await _to_the_end(self._restore, uid)

    async def hand_to(self, asked_by: Asker, uid: ClaimUID) -> None:
        """Somebody else says from now on when it is over. Raises `DiskFault`."""
        await _to_the_end(self._record, uid, lambda now: now.with_asker(uid, asked_by))

    async def remove(self, uid: ClaimUID) -> PrepareRefusal | None:
        """Nothing of the claim is left, the entry last: until then it is tried again. Raises
        `DiskFault`."""
        return await _to_the_end(self._remove, uid)

    async def resume(self) -> None:
        """Take over from the process before this one; what it left half done is removed. Raises
        `DiskFault`."""
        self._strays = await _to_the_end(self._resume)

    def unfinished(self) -> tuple[Entry, ...]:
        """Claims that are over and could not be undone."""
        return self.checkpoint.in_state(State.UNDOING)

    def lapsed(self) -> tuple[Entry, ...]:
        """Claims that were prepared and of which something is missing now."""
        return tuple(entry for entry in self._completed() if not entry.is_whole)

    @property
    def has_processes(self) -> bool:
        return any(entry.has_processes for entry in self._completed())

    async def ended(self) -> tuple[tuple[Entry, Step], ...]:
        """Prepared claims and what has ended by itself of what was done for them."""
        mortal = [(entry, step) for entry in self._completed() for step in entry.plan.steps if step.MAY_END]
        if not mortal:
            return ()
        return await _to_the_end(lambda: tuple(one for one in mortal if not self._saga.is_still_there(*one)))

    async def end_orphans(self) -> None:
        """On start, while nobody asks: what runs for no claim of the journal is ended. Where the journal
        was lost, it may be a stray's."""
        if not self.strays:
            refusal = await _to_the_end(self._saga.end_orphans)
            if refusal is not None:
                _log.warning("not ended yet", reason=refusal.reason)

    @property
    def strays(self) -> frozenset[ClaimUID]:
        """Claims with a CDI file and no entry: their checkpoint was lost, or is another driver's. The file
        is the last step of a plan, so that all others were done too."""
        return self._strays - frozenset(self.checkpoint.entries)

    def is_inherited(self, uid: ClaimUID) -> bool:
        """NVIDIA's driver has prepared it, and nobody has said yet that it is over."""
        return uid in self._inherited

    def disinherit(self, uid: ClaimUID) -> None:
        """Who asked for it says that it is over."""
        self._over |= self._inherited & {uid}
        self._inherited -= {uid}

    def is_over(self, uid: ClaimUID) -> bool:
        """NVIDIA's driver has prepared it, and it is not to be taken over any more."""
        return uid in self._over

    async def stray_devices(self, uid: ClaimUID) -> tuple[DeviceName, ...]:
        """Those named in its CDI file; none where it cannot be read. Raises `DiskFault`."""
        if theirs := await asyncio.to_thread(self._predecessor.devices, uid):
            return theirs
        data = await asyncio.to_thread(files.read, self._cdi_root / cdi.file_name(uid))
        return () if data is None else devices_in(uid, data)

    async def delete_spec(self, uid: ClaimUID) -> None:
        """Raises `DiskFault`."""
        await asyncio.to_thread(files.delete, self._cdi_root / cdi.file_name(uid))
        await asyncio.to_thread(self._predecessor.delete_file, uid)
        self._strays -= {uid}

    def _reserve(self, plan: PreparePlan, asked_by: Asker, trace: TraceParent) -> None:
        """Nothing is waited for. What is taken over of a stray is looked for, and is not in its way."""
        uid = plan.claim.uid
        was_lost = uid in self.strays

        def reserved(now: Checkpoint) -> Checkpoint:
            then = now.with_reserved(plan, asked_by, trace)
            return then.with_all_begun(uid) if was_lost else then

        self._journal.note(reserved)
        self._strays -= {uid}

    def _completed(self) -> tuple[Entry, ...]:
        return self.checkpoint.in_state(State.COMPLETED)

    def _prepare(self, uid: ClaimUID) -> PrepareRefusal | None:
        with ExitStack() as undo:
            undo.callback(self._give_up, uid)
            refusal = self._saga.forwards(uid)
            if refusal is not None:
                return refusal
            self._record(uid, lambda now: now.with_prepared(uid), _kept_for(self.checkpoint.entries[uid]))
            undo.pop_all()
        if uid in self._inherited:
            self._predecessor.delete_file(uid)
            self._inherited -= {uid}
        return None

    def _restore(self, uid: ClaimUID) -> PrepareRefusal | None:
        refusal = self._saga.forwards(uid)
        if self._journal.has_news:
            self._journal.flush()
        return refusal

    def _remove(self, uid: ClaimUID) -> PrepareRefusal | None:
        if self.checkpoint.entry(uid) is None:
            return None
        self._journal.note(lambda now: now.with_undoing(uid))
        refusal = self._saga.backwards(uid)
        if refusal is None:
            self._record(uid, lambda now: now.without(uid))
        return refusal

    def _resume(self) -> frozenset[ClaimUID]:
        self._journal.recall()
        files.make(self._cdi_root)
        files.sweep(self._cdi_root)
        theirs = self._predecessor.claims()
        for entry in self.checkpoint.in_state(State.STARTED):
            if entry.plan.claim.uid in theirs:
                self._put_back(entry.plan.claim.uid)
        for uid in theirs & {entry.plan.claim.uid for entry in self._completed()}:
            self._predecessor.delete_file(uid)  # killed between what was recorded and this
        for entry in (*self.checkpoint.in_state(State.STARTED), *self.checkpoint.in_state(State.UNDOING)):
            refusal = self._remove(entry.plan.claim.uid)
            if refusal is not None:
                _log.warning("claim not undone yet", claim=entry.plan.claim, reason=refusal.reason)
        self._inherited = theirs - frozenset(self.checkpoint.entries)
        return cdi.strays(self.checkpoint.entries, files.names(self._cdi_root)) | self._inherited

    def _put_back(self, uid: ClaimUID) -> None:
        """A claim that was taken over, and not to the end: containers run, so that it is left as it was."""
        self._record(uid, lambda now: now.with_undoing(uid).without(uid))
        self._strays |= {uid}

    def _give_up(self, uid: ClaimUID) -> None:
        try:
            if uid in self._inherited:
                self._put_back(uid)
                return
            refusal = self._remove(uid)
        except files.DiskFault as fault:  # what was refused before it is the one to tell
            _log.error("claim not undone yet", claim_uid=uid, reason=str(fault))
            return
        if refusal is not None:
            _log.warning("claim not undone yet", claim_uid=uid, reason=refusal.reason)

    def _record(self, uid: ClaimUID, change: Change, kept: Kept = Kept.THROUGH_A_POWER_CUT) -> None:
        with telemetry.span("checkpoint", claim_uid=uid):
            self._journal.record(uid, change, kept)


def _kept_for(entry: Entry) -> Kept:
    """A power cut that takes this takes the containers too. The kubelet asks again then; others may not."""
    return Kept.OLD_OR_NEW if entry.asked_by is Asker.KUBELET else Kept.THROUGH_A_POWER_CUT


async def _to_the_end(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """In a thread, which ends before we do even where we are told to stop: no other process may find it at
    work."""
    done = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        await asyncio.wait([done])
        raise
