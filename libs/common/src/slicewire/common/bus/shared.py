"""One bus for many: whoever runs many nodes in one process hears each of them without a consumer each.

Whatever is not shared goes to the bus as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from slicewire.common.bus.port import (
    Bus,
    BusUnavailable,
    CaughtUp,
    Committed,
    Declined,
    Heard,
    KeyedHandler,
    Past,
    Serving,
    Stale,
    Write,
)
from slicewire.common.messages import Channel, Endpoint, Fact
from slicewire.common.model.struct import Object

F = TypeVar("F", bound=Fact)
Q = TypeVar("Q", bound=Object)
A = TypeVar("A", bound=Object)
_Item = Heard[Any] | CaughtUp | BusUnavailable


class ThroughBus:
    """A `Bus` that is another one, for whoever does one verb otherwise."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def tell(self, channel: Channel[F], fact: F) -> int:
        return await self._bus.tell(channel, fact)

    async def commit(self, writes: Sequence[Write]) -> Committed | Stale:
        return await self._bus.commit(writes)

    def take(self, channel: Channel[F], by: str) -> AsyncIterator[Any]:
        return self._bus.take(channel, by)

    async def ask(
        self, endpoint: Endpoint[Q, A], request: Q, *key: str, timeout_seconds: float = 5.0
    ) -> A | Declined:
        return await self._bus.ask(endpoint, request, *key, timeout_seconds=timeout_seconds)

    def serve(
        self, handlers: Mapping[Endpoint[Any, Any], Callable[[Any], Awaitable[Any]]], *key: str, name: str
    ) -> Serving:
        return self._bus.serve(handlers, *key, name=name)

    async def as_of(self, event: int | None, *channels: Channel[Any]) -> Past | Declined:
        return await self._bus.as_of(event, *channels)

    def replay(self, after: int, *channels: Channel[Any]) -> AsyncIterator[Heard[Any] | CaughtUp]:
        return self._bus.replay(after, *channels)

    def serve_all(self, handlers: Mapping[Endpoint[Any, Any], KeyedHandler], *, name: str) -> Serving:
        return self._bus.serve_all(handlers, name=name)

    def follow(self, *channels: Channel[Any]) -> AsyncIterator[Heard[Any] | CaughtUp]:
        return self._bus.follow(*channels)


class SharedFollowing(ThroughBus):
    """A `Bus` whose `follow` of one key of these channels is a part of one following of all of them."""

    def __init__(self, bus: Bus, channels: Sequence[Channel[Any]]) -> None:
        super().__init__(bus)
        self._channels = tuple(channels)
        self._latest: dict[tuple[str, tuple[str, ...]], Heard[Any]] = {}
        self._caught_up: CaughtUp | None = None
        self._followers: dict[tuple[str, tuple[str, ...]], set[asyncio.Queue[_Item]]] = {}

    async def run(self) -> None:
        """Hear, for as long as anybody follows; a stream that is lost is lost to every follower."""
        while True:
            try:
                async for heard in self._bus.follow(*self._channels):
                    self._hand_out(heard)
            except BusUnavailable as lost:
                self._latest.clear()
                self._caught_up = None
                for queue in self._everybody():
                    queue.put_nowait(lost)

    def _hand_out(self, heard: Heard[Any] | CaughtUp) -> None:
        if isinstance(heard, CaughtUp):
            self._caught_up = heard
            for queue in self._everybody():
                queue.put_nowait(heard)
            return
        place = heard.channel.kind, heard.key
        self._latest[place] = heard
        for queue in self._followers.get(place, ()):
            queue.put_nowait(heard)

    def _everybody(self) -> list[asyncio.Queue[_Item]]:
        return [queue for queues in self._followers.values() for queue in queues]

    async def follow(self, *channels: Channel[Any]) -> AsyncIterator[Heard[Any] | CaughtUp]:
        (channel,) = channels
        place = channel.kind, channel.prefix
        queue: asyncio.Queue[_Item] = asyncio.Queue()
        if place in self._latest:
            queue.put_nowait(self._latest[place])
        if self._caught_up:
            queue.put_nowait(self._caught_up)
        self._followers.setdefault(place, set()).add(queue)
        try:
            while True:
                item = await queue.get()
                if isinstance(item, BusUnavailable):
                    raise item
                yield item
        finally:
            self._followers[place].discard(queue)
