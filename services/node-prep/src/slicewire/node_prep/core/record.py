"""The checkpoint as a file: lines of JSON that any tool reads, and what is made of them when read again.

The first line is a whole checkpoint. Each further one has the claims that have changed since: as they are
now, or null. A newer version may add fields; an entry that cannot be read costs only itself, and a line that
cannot be read, itself and those after it. The version number changes only when an older reader would misread.
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
_GONE = b"null"


class Corrupt(msgspec.Struct, frozen=True):
    """The file is not a checkpoint that this version can read."""

    reason: str


class Recalled(msgspec.Struct, frozen=True):
    """A checkpoint read back, and the entries of it that could not be."""

    checkpoint: Checkpoint
    unreadable: Mapping[str, str]
    torn: str = ""
    """Why the last lines could not be read, where they could not."""


class _Line(Object, frozen=True):
    version: int
    claims: dict[str, msgspec.Raw]
    boot: str = msgspec.field(default="", name="bootID")


def encode(checkpoint: Checkpoint) -> bytes:
    """The first line, without its end."""
    return _line(checkpoint.boot, checkpoint.entries)


def encode_changes(before: Checkpoint, after: Checkpoint) -> bytes:
    """A further line, without its end: what makes the one checkpoint the other. Empty for no change."""
    changed: dict[ClaimUID, Entry | None] = {
        uid: entry for uid, entry in after.entries.items() if before.entries.get(uid) is not entry
    }
    changed |= dict.fromkeys(uid for uid in before.entries if uid not in after.entries)
    return _line(after.boot, changed) if changed or before.boot != after.boot else b""


def _line(boot: str, claims: Mapping[ClaimUID, Entry | None]) -> bytes:
    return wire.encode({"version": VERSION, "bootID": boot, "claims": claims})


def decode(data: bytes) -> Recalled | Corrupt:
    first, *further = data.removesuffix(b"\n").split(b"\n")
    line = _read(first)
    if isinstance(line, Corrupt):
        return line
    recalled = _with_line(Recalled(Checkpoint(), {}), line)
    for number, later in enumerate(further, 2):
        line = _read(later)
        if isinstance(line, Corrupt):
            return msgspec.structs.replace(recalled, torn=f"line {number}: {line.reason}")
        recalled = _with_line(recalled, line)
    return recalled


def _read(data: bytes) -> _Line | Corrupt:
    try:
        line = wire.decode(data, _Line)
    except wire.Malformed as error:
        return Corrupt(str(error))
    if line.version not in (VERSION, _WITHOUT_STEPS):
        return Corrupt(f"version: {line.version} is not {VERSION}, the one that is understood here")
    return line


def _with_line(before: Recalled, line: _Line) -> Recalled:
    """What the line says of a claim counts, and nothing that was said of it before."""
    entries = {uid: entry for uid, entry in before.checkpoint.entries.items() if uid not in line.claims}
    unreadable = {uid: why for uid, why in before.unreadable.items() if uid not in line.claims}
    for uid, raw in line.claims.items():
        if bytes(raw) == _GONE:
            continue
        entry = _entry(uid, bytes(raw))
        if isinstance(entry, Corrupt):
            unreadable[uid] = entry.reason
        else:
            entries[ClaimUID(uid)] = _with_steps(entry) if line.version == _WITHOUT_STEPS else entry
    return Recalled(Checkpoint(entries, line.boot), unreadable)


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
