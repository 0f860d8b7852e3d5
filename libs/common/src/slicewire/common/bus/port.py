"""What a service may ask of the bus. A verb for each intent.

`tell` a fact, or `commit` several all-or-none; `follow` = the latest of every key, then each new
one, for rebuilding state after any restart; `take` = each fact once among the takers, for doing
work; `ask` and `serve` for questions; `as_of` and `replay` for looking back. Choosing the wrong one is
the commonest event-driven bug, so each is a word of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from slicewire.common.messages import Channel, Endpoint, Fact, Moment
from slicewire.common.model import TraceParent
from slicewire.common.model.struct import Object

F = TypeVar("F", bound=Fact)
Q = TypeVar("Q", bound=Object)
A = TypeVar("A", bound=Object)

ABSENT = 0
"""The sequence of a key that has never been told."""


REFUSED_SECONDS = 5.0
"""Before what is not allowed is tried again: rights may have been given meanwhile."""


class BusUnavailable(Exception):
    """No answer from the bus in time. What was told may or may not have been kept: tell it again."""


class NotAllowed(BusUnavailable):
    """The server does not let us say this, with the credentials that we have. It says so at once: whoever
    tries again waits longer than for an answer that may come."""


class StreamLost(BusUnavailable):
    """What was heard is not what the stream now says: it was made anew, or the end of a key may have
    been missed. Forget everything and follow again."""


class TooLarge(Exception):
    """What was to be told fits in no message; the reason says how large it is. Telling it again is vain."""


class BusTooOld(Exception):
    """The server lacks what Slicewire stands on; the message says which version is needed."""


class Heard(msgspec.Struct, Generic[F], frozen=True):
    """One fact, as heard. `fact` is None when nothing is under the key any more.

    `headers` carries the envelope: trace context (`traceparent`) and CloudEvents attributes (`ce-*`).
    `event` is its number in the history; 0 where it was not read from there.
    """

    channel: Channel[F]
    key: tuple[str, ...]
    fact: F | None
    sequence: int
    headers: Mapping[str, str]
    event: int = 0


class CaughtUp(msgspec.Struct, frozen=True):
    """Everything that was there when following began has now been heard."""

    sequence: int


class Past(msgspec.Struct, frozen=True):
    """The fact of every key as it was right after one event. Keys that had ended by then are left out."""

    moment: Moment
    facts: tuple[Heard[Any], ...]


class Write(msgspec.Struct, frozen=True):
    """One fact of a commit. `fact` None forgets the key.

    `expected` is the sequence its key must still have (`ABSENT` for none); None means whatever it is.
    `trace` is the trace this fact belongs to; "" means the current one.
    """

    channel: Channel[Any]
    key: tuple[str, ...]
    fact: Fact | None
    expected: int | None = None
    trace: TraceParent = TraceParent("")


class Committed(msgspec.Struct, frozen=True):
    """All writes are kept. `sequence` is that of the last one; the others are directly before it."""

    sequence: int


class Stale(msgspec.Struct, frozen=True):
    """Nothing was kept: some key had moved on. Catch up and decide again."""

    reason: str


class Declined(msgspec.Struct, frozen=True):
    """The other side says no. `code` as in HTTP: 400 the question is wrong, 404 unknown, 409 taken,
    503 not ready or nobody serves it."""

    code: int
    reason: str


class Delivery(Protocol[F]):
    """One fact handed to one taker. Exactly one of the verbs ends it."""

    @property
    def heard(self) -> Heard[F]: ...
    async def ack(self) -> None: ...
    async def retry(self, after_seconds: float) -> None: ...


KeyedHandler = Callable[[tuple[str, ...], Any], Awaitable[Any]]
"""Answers a question to a key: a reply, or `Declined`."""
Serving = AbstractAsyncContextManager[None]


class Bus(Protocol):
    async def tell(self, channel: Channel[F], fact: F) -> int:
        """Keep the fact as the latest of its key; returns its sequence. Raises `BusUnavailable`,
        `TooLarge`."""

    async def commit(self, writes: Sequence[Write]) -> Committed | Stale:
        """Keep all writes or none. Raises `BusUnavailable`: then whether they were kept is unknown
        until the keys are heard again; `TooLarge`: then none was."""

    def follow(self, *channels: Channel[Any]) -> AsyncIterator[Heard[Any] | CaughtUp]:
        """The latest fact of every key, then `CaughtUp` once, then every new fact, for ever."""

    def take(self, channel: Channel[F], by: str) -> AsyncIterator[Delivery[F]]:
        """Facts to work on, each handed to one of the takers named `by`, again if it dies first."""

    async def ask(
        self, endpoint: Endpoint[Q, A], request: Q, *key: str, timeout_seconds: float = 5.0
    ) -> A | Declined:
        """Raises `BusUnavailable` when nobody answers in time."""

    def serve(
        self, handlers: Mapping[Endpoint[Any, Any], Callable[[Any], Awaitable[Any]]], *key: str, name: str
    ) -> Serving:
        """Answer these endpoints while the context is open; several servers of one name share the work."""

    def serve_all(self, handlers: Mapping[Endpoint[Any, Any], KeyedHandler], *, name: str) -> Serving:
        """The same for every key of these endpoints there may be."""

    async def as_of(self, event: int | None, *channels: Channel[Any]) -> Past | Declined:
        """What every key of these channels was when this event of the history had just been told; None
        is the last one. Raises `BusUnavailable`."""

    def replay(self, after: int, *channels: Channel[Any]) -> AsyncIterator[Heard[Any] | CaughtUp]:
        """Every event of the history after this one, one by one, `CaughtUp` after the last there is, then
        every new one, for ever."""
