"""The checkpoint as a file: JSON that any tool reads, and what is made of it when it is read again.

A newer version may add fields; an entry that cannot be read costs only itself. The version number
changes only when an older reader would misread.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from slicewire.common.model import ClaimUID, wire
from slicewire.common.model.struct import Object
from slicewire.node_prep.core.checkpoint import Checkpoint
from slicewire.node_prep.core.entry import BEGUN, Entry, Progress, Stage
from slicewire.node_prep.core.lifecycle import State
from slicewire.node_prep.core.steps import WriteCdiFile

VERSION = 2
_WITHOUT_STEPS = 1
"""The version that knew whole GPUs only: all that was ever done was the CDI file."""


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
    boot: str = msgspec.field(default="", name="bootID")


def encode(checkpoint: Checkpoint) -> bytes:
    return wire.encode({"version": VERSION, "bootID": checkpoint.boot, "claims": checkpoint.entries})


def decode(data: bytes) -> Recalled | Corrupt:
    try:
        file = wire.decode(data, _File)
    except wire.Malformed as error:
        return Corrupt(str(error))
    if file.version not in (VERSION, _WITHOUT_STEPS):
        return Corrupt(f"version: {file.version} is not {VERSION}, the one that is understood here")
    entries: dict[ClaimUID, Entry] = {}
    unreadable: dict[str, str] = {}
    for uid, raw in file.claims.items():
        entry = _entry(uid, bytes(raw))
        if isinstance(entry, Corrupt):
            unreadable[uid] = entry.reason
        else:
            entries[ClaimUID(uid)] = _with_steps(entry) if file.version == _WITHOUT_STEPS else entry
    return Recalled(Checkpoint(entries, file.boot), unreadable)


def _entry(uid: str, data: bytes) -> Entry | Corrupt:
    try:
        entry = wire.decode(data, Entry)
    except wire.Malformed as error:
        return Corrupt(str(error))
    if entry.plan.claim.uid != uid:
        return Corrupt(f"plan.claim.uid: {entry.plan.claim.uid} stands under {uid}")
    return entry


def _with_steps(entry: Entry) -> Entry:
    plan = msgspec.structs.replace(entry.plan, steps=(WriteCdiFile(claim=entry.plan.claim.uid),))
    done = Progress(stage=Stage.DONE) if entry.state is State.COMPLETED else BEGUN
    return msgspec.structs.replace(entry, plan=plan, progress=(done,))
