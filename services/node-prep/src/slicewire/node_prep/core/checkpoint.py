"""What this node has promised and done: every claim's entry, and on which boot of the machine.

A value with successors; how it is written on the disk is in record.py.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from slicewire.common.model import ClaimUID, TraceParent
from slicewire.node_prep.core.entry import BEGUN, Asker, Entry, Progress, Stage
from slicewire.node_prep.core.holding import Holding
from slicewire.node_prep.core.lifecycle import Move, State, after
from slicewire.node_prep.core.plan import PreparePlan
from slicewire.node_prep.core.steps import Notes, Step


class Checkpoint(msgspec.Struct, frozen=True):
    entries: Mapping[ClaimUID, Entry] = msgspec.field(default_factory=dict)
    boot: str = ""
    """Empty where the machine does not say."""

    def entry(self, uid: ClaimUID) -> Entry | None:
        return self.entries.get(uid)

    def completed(self, uid: ClaimUID) -> Entry | None:
        entry = self.entries.get(uid)
        return entry if entry is not None and entry.state is State.COMPLETED else None

    def in_state(self, state: State) -> tuple[Entry, ...]:
        return tuple(entry for entry in self.entries.values() if entry.state is state)

    def holders(self, but: ClaimUID) -> tuple[Holding, ...]:
        """Who holds which device, apart from this claim. Admin access holds nothing."""
        return tuple(
            Holding(entry.plan.claim, planned)
            for uid, entry in self.entries.items()
            if uid != but
            for planned in entry.plan.devices
            if not planned.admin_access
        )

    def notes_of_others(self, step: Step, but: ClaimUID) -> Notes | None:
        """What another claim knows of the same step, which it has done and still wants."""
        for uid, entry in self.entries.items():
            if uid == but or entry.state is State.UNDOING:
                continue
            for theirs, progress in entry.steps():
                if theirs == step and progress.stage is Stage.DONE:
                    return progress.notes
        return None

    def with_reserved(self, plan: PreparePlan, asked_by: Asker, trace: TraceParent) -> Checkpoint:
        uid = plan.claim.uid
        state = after(self._state(uid), Move.RESERVE)
        return self._with(uid, Entry(state=state, plan=plan, asked_by=asked_by, trace=trace))

    def with_all_begun(self, uid: ClaimUID) -> Checkpoint:
        """Every step was done, or may have been: what was known of it is lost."""
        entry = self.entries[uid]
        begun = tuple(BEGUN for _ in entry.plan.steps)
        return self._with(uid, msgspec.structs.replace(entry, progress=begun))

    def with_progress(self, uid: ClaimUID, index: int, progress: Progress) -> Checkpoint:
        return self._with(uid, self.entries[uid].with_progress(index, progress))

    def with_prepared(self, uid: ClaimUID) -> Checkpoint:
        return self._moved(uid, Move.COMPLETE)

    def with_undoing(self, uid: ClaimUID) -> Checkpoint:
        return self._moved(uid, Move.UNDO)

    def with_asker(self, uid: ClaimUID, asked_by: Asker) -> Checkpoint:
        return self._with(uid, msgspec.structs.replace(self.entries[uid], asked_by=asked_by))

    def without(self, uid: ClaimUID) -> Checkpoint:
        after(self._state(uid), Move.REMOVE)
        return self._of({other: entry for other, entry in self.entries.items() if other != uid})

    def with_claim_as_in(self, earlier: Checkpoint, uid: ClaimUID) -> Checkpoint:
        """This checkpoint, but for one claim, which is as it was: its change could not be kept."""
        others = {other: entry for other, entry in self.entries.items() if other != uid}
        before = earlier.entries.get(uid)
        return self._of(others if before is None else {**others, uid: before})

    def on_boot(self, boot: str) -> Checkpoint:
        """The same on this boot of the machine: of another one, only what survives it is left."""
        rebooted = bool(self.boot and boot and self.boot != boot)
        entries = {uid: entry.after_reboot() if rebooted else entry for uid, entry in self.entries.items()}
        return Checkpoint(entries, boot)

    def _state(self, uid: ClaimUID) -> State:
        entry = self.entries.get(uid)
        return State.ABSENT if entry is None else entry.state

    def _moved(self, uid: ClaimUID, move: Move) -> Checkpoint:
        state = after(self._state(uid), move)
        return self._with(uid, msgspec.structs.replace(self.entries[uid], state=state))

    def _with(self, uid: ClaimUID, entry: Entry) -> Checkpoint:
        return self._of({**self.entries, uid: entry})

    def _of(self, entries: Mapping[ClaimUID, Entry]) -> Checkpoint:
        return Checkpoint(entries, self.boot)
