"""What this node has promised and done, as it is kept on disk.

A newer version may add fields; an entry that cannot be read costs only itself. The version number
changes only when an older reader would misread.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from slicewire.common.model import ClaimUID, TraceParent, wire
from slicewire.common.model.struct import Object
from slicewire.node_prep.core.lifecycle import State, Step, after
from slicewire.node_prep.core.plan import Holders, PreparePlan

VERSION = 1


class Asker(StrEnum):
    """Who wants the claim prepared, and so who says when it is over."""

    KUBELET = "kubelet"
    BUS = "bus"


class Entry(Object, frozen=True):
    """One claim. `trace` is the context its preparation belongs to."""

    state: State
    plan: PreparePlan
    asked_by: Asker
    trace: TraceParent = TraceParent("")


class Checkpoint(msgspec.Struct, frozen=True):
    entries: Mapping[ClaimUID, Entry] = msgspec.field(default_factory=dict)

    def entry(self, uid: ClaimUID) -> Entry | None:
        return self.entries.get(uid)

    def completed(self, uid: ClaimUID) -> Entry | None:
        entry = self.entries.get(uid)
        return entry if entry is not None and entry.state is State.COMPLETED else None

    def in_state(self, state: State) -> tuple[Entry, ...]:
        return tuple(entry for entry in self.entries.values() if entry.state is state)

    def holders(self, but: ClaimUID) -> Holders:
        """Who holds which device, apart from this claim. Admin access holds nothing."""
        return {
            planned.device: entry.plan.claim
            for uid, entry in self.entries.items()
            if uid != but
            for planned in entry.plan.devices
            if not planned.admin_access
        }

    def with_reserved(self, plan: PreparePlan, asked_by: Asker, trace: TraceParent) -> Checkpoint:
        uid = plan.claim.uid
        state = after(self._state(uid), Step.RESERVE)
        return self._with(uid, Entry(state=state, plan=plan, asked_by=asked_by, trace=trace))

    def with_prepared(self, uid: ClaimUID) -> Checkpoint:
        state = after(self._state(uid), Step.COMPLETE)
        return self._with(uid, msgspec.structs.replace(self.entries[uid], state=state))

    def with_asker(self, uid: ClaimUID, asked_by: Asker) -> Checkpoint:
        return self._with(uid, msgspec.structs.replace(self.entries[uid], asked_by=asked_by))

    def without(self, uid: ClaimUID) -> Checkpoint:
        after(self._state(uid), Step.REMOVE)
        return Checkpoint({other: entry for other, entry in self.entries.items() if other != uid})

    def with_claim_as_in(self, earlier: Checkpoint, uid: ClaimUID) -> Checkpoint:
        """This checkpoint, but for one claim, which is as it was: its change could not be kept."""
        others = {other: entry for other, entry in self.entries.items() if other != uid}
        before = earlier.entries.get(uid)
        return Checkpoint(others if before is None else {**others, uid: before})

    def _state(self, uid: ClaimUID) -> State:
        entry = self.entries.get(uid)
        return State.ABSENT if entry is None else entry.state

    def _with(self, uid: ClaimUID, entry: Entry) -> Checkpoint:
        return Checkpoint({**self.entries, uid: entry})


class Corrupt(msgspec.Struct, frozen=True):
    """The file is not a checkpoint that this version can read."""

    reason: str


class Recalled(msgspec.Struct, frozen=True):
    """A checkpoint read back, and the entries of it that could not be."""

    checkpoint: Checkpoint
    unreadable: Mapping[str, str]


class _File(Object, frozen=True):
    version: int
    claims: dict[str, msgspec.Raw]


def encode(checkpoint: Checkpoint) -> bytes:
    return wire.encode({"version": VERSION, "claims": checkpoint.entries})


def decode(data: bytes) -> Recalled | Corrupt:
    try:
        file = wire.decode(data, _File)
    except wire.Malformed as error:
        return Corrupt(str(error))
    if file.version != VERSION:
        return Corrupt(f"version: {file.version} is not {VERSION}, the one that is understood here")
    entries: dict[ClaimUID, Entry] = {}
    unreadable: dict[str, str] = {}
    for uid, raw in file.claims.items():
        try:
            entry = wire.decode(bytes(raw), Entry)
        except wire.Malformed as error:
            unreadable[uid] = str(error)
            continue
        if entry.plan.claim.uid != uid:
            unreadable[uid] = f"plan.claim.uid: {entry.plan.claim.uid} stands under {uid}"
            continue
        entries[ClaimUID(uid)] = entry
    return Recalled(Checkpoint(entries), unreadable)
