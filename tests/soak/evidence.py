"""What a run leaves behind: the events of the history, and what clients were told. Values only."""

from __future__ import annotations

import msgspec

from slicewire.common.messages import Fact
from slicewire.common.model import ClaimUID, DeviceRequestAllocationResult
from slicewire.common.model.struct import Object


class Event(msgspec.Struct, frozen=True):
    """One fact of the history. `sequence` is the state's; `author` and `number` say who told it, and
    as the how-manieth of theirs: the facts of one commit have numbers that follow one another."""

    sequence: int
    kind: str
    key: tuple[str, ...]
    fact: Fact | None
    author: str = ""
    number: int = 0


class Acknowledged(Object, frozen=True, tag="acknowledged"):
    """A client was answered: these devices, or none (a refusal), when the state was at most at `by`."""

    uid: ClaimUID
    by: int
    results: tuple[DeviceRequestAllocationResult, ...] | None


class Releasing(Object, frozen=True, tag="releasing"):
    """A client is about to ask for a release; the state was at least at `after`."""

    uid: ClaimUID
    after: int


class Released(Object, frozen=True, tag="released"):
    """The release was acknowledged when the state was at most at `by`."""

    uid: ClaimUID
    by: int


class Told(Object, frozen=True, tag="told"):
    """The bus acknowledged a fact under this sequence."""

    subject: str
    sequence: int


class Unanswered(Object, frozen=True, tag="unanswered"):
    """A client gave up."""

    uid: ClaimUID
    what: str


Entry = Acknowledged | Releasing | Released | Told | Unanswered
