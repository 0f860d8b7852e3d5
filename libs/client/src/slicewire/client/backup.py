"""The state in a file, and back: every fact with its key and trace, one a line, in the order they were told.

Written back it is a new stream with the old facts: whoever followed the lost one notices, and begins anew.
Refuses to write over what was told since, and to leave out half of a file.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from slicewire.common.bus.port import ABSENT, Bus, CaughtUp, Declined, Heard, Past, Stale, Write
from slicewire.common.messages import ANSWERS, CATALOGUE, LEDGERS
from slicewire.common.model import TraceParent, wire

_FORMAT = 1
_AT_ONCE = 200
_DECIDED = (LEDGERS.kind, ANSWERS.kind)
"""What was decided. Another decision in its place means that allocators went on without it."""
_TRIES, _AGAIN_SECONDS = 30, 0.1
_IN_MOTION = "others wrote all the while: of the last commit a part may be missing; take another backup"
Told = Mapping[tuple[str, tuple[str, ...]], Heard[Any]]
"""By kind and key."""
_CHANNELS = {channel.kind: channel for channel in CATALOGUE}


class BadBackup(Exception):
    """The file cannot be used, or does not fit what the bus says; the reason says why."""


class Head(msgspec.Struct, frozen=True, rename="camel"):
    """The first line."""

    slicewire_backup: int
    facts: int
    sequence: int
    """Of the last fact in it."""


class Line(msgspec.Struct, frozen=True):
    kind: str
    key: tuple[str, ...]
    fact: msgspec.Raw
    trace: str = ""


class Restored(msgspec.Struct, frozen=True):
    """How many facts were written, and how many were there already or told anew since."""

    written: int
    left: int


async def taken(bus: Bus) -> Past:
    """The state at a moment at which nobody wrote; if there is none, the last one, and it says so. Raises
    `BadBackup`, `BusUnavailable`."""
    past = await _now(bus)
    for _ in range(_TRIES):
        await asyncio.sleep(_AGAIN_SECONDS)
        before, past = past, await _now(bus)
        if past.moment.event == before.moment.event:
            return past
    moment = msgspec.structs.replace(past.moment, gaps=(*past.moment.gaps, _IN_MOTION))
    return msgspec.structs.replace(past, moment=moment)


async def _now(bus: Bus) -> Past:
    past = await bus.as_of(None, *CATALOGUE)
    if isinstance(past, Declined):
        raise BadBackup(past.reason)
    return past


async def everything(bus: Bus) -> Told:
    """The latest of every key, those that have ended too."""
    found = {}
    async for heard in bus.follow(*CATALOGUE):
        if isinstance(heard, CaughtUp):
            break
        found[heard.channel.kind, heard.key] = heard
    return found


def save(found: Sequence[Heard[Any]], path: Path) -> Head:
    """Whole or not at all, for its owner's eyes. Raises `BadBackup`."""
    facts = [heard for heard in found if heard.fact is not None]
    head = Head(_FORMAT, len(facts), max((heard.sequence for heard in facts), default=0))
    lines = [wire.encode(head), *(wire.encode(_line(heard)) for heard in facts)]
    draft = path.with_name(f".{path.name}.new")
    try:
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
            file.write(b"".join(line + b"\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise BadBackup(f"{path}: {error.strerror}") from None
    return head


def _line(heard: Heard[Any]) -> Line:
    trace = heard.headers.get("traceparent", "")
    return Line(heard.channel.kind, heard.key, msgspec.Raw(wire.encode(heard.fact)), trace)


def load(path: Path) -> tuple[Write, ...]:
    """What is in a backup. Raises `BadBackup`, naming the line."""
    try:
        first, *rest = path.read_bytes().splitlines() or [b""]
    except OSError as error:
        raise BadBackup(f"{path}: {error.strerror}") from None
    head = _read(path, 1, first, Head)
    if head.slicewire_backup != _FORMAT:
        raise BadBackup(f"{path} has format {head.slicewire_backup}, and this version reads {_FORMAT}")
    if len(rest) != head.facts:
        raise BadBackup(f"{path} was cut off: it has {len(rest)} facts of {head.facts}")
    return tuple(_write(path, number, text) for number, text in enumerate(rest, 2))


def _read(path: Path, number: int, text: bytes, kind: type[Any]) -> Any:
    try:
        return wire.decode(text, kind)
    except wire.Malformed as error:
        raise BadBackup(f"{path}, line {number}: {error}") from None


def _write(path: Path, number: int, text: bytes) -> Write:
    line: Line = _read(path, number, text, Line)
    channel = _CHANNELS.get(line.kind)
    if channel is None:
        raise BadBackup(f"{path}, line {number}: there is no kind {line.kind!r}")
    fact = _read(path, number, bytes(line.fact), channel.fact)
    if channel.key(fact) != line.key:
        raise BadBackup(
            f"{path}, line {number}: the key is {line.key}, and the fact is of {channel.key(fact)}"
        )
    return Write(channel, line.key, fact, trace=TraceParent(line.trace))


async def restore(bus: Bus, writes: Sequence[Write], at_once: int = _AT_ONCE) -> Restored:
    """What is missing. Run again after it was killed, it goes on. Raises `BadBackup`, `BusUnavailable`."""
    there = await everything(bus)
    missing = [write for write in writes if _is_missing(write, there)]
    for start in range(0, len(missing), at_once):
        done = await bus.commit([_guarded(write, there) for write in missing[start : start + at_once]])
        if isinstance(done, Stale):
            raise BadBackup(
                f"somebody writes meanwhile ({done.reason}): stop the allocators, and run it again"
            )
    return Restored(len(missing), len(writes) - len(missing))


def _is_missing(write: Write, there: Told) -> bool:
    heard = there.get((write.channel.kind, write.key))
    if heard is None or heard.fact is None:
        return True
    if write.channel.kind in _DECIDED and heard.fact != write.fact:
        name = " ".join(write.key)
        raise BadBackup(f"the {write.channel.kind} of {name} was decided anew since: nothing is written")
    return False


def _guarded(write: Write, there: Told) -> Write:
    heard = there.get((write.channel.kind, write.key))
    return msgspec.structs.replace(write, expected=heard.sequence if heard else ABSENT)
