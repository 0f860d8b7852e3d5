"""Typed streams of facts: everything that is now, then every change.

async for heard in client.inventory():
    match heard:
        case CaughtUp():      # all that was there when listening began has been heard
        case Gone(key=key):   # nothing is told under this key any more
        case PoolObserved():  # the pool, whole
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Generic, TypeVar

import msgspec

from slicewire.common.bus.port import Bus, CaughtUp
from slicewire.common.messages import Channel, Fact

F = TypeVar("F", bound=Fact)


class Gone(msgspec.Struct, Generic[F], frozen=True):
    """Nothing is under this key of the channel any more: what was told of it holds no longer."""

    channel: Channel[F]
    key: tuple[str, ...]


async def listen(bus: Bus, channel: Channel[F]) -> AsyncIterator[F | Gone[F] | CaughtUp]:
    """The latest fact of every key, `CaughtUp` once, then every new one, for ever.

    Outages are waited out and nothing is missed. Raises `StreamLost` where that cannot be promised
    any more: forget what was heard, and listen again.
    """
    async for heard in bus.follow(channel):
        match heard:
            case CaughtUp():
                yield heard
            case _ if heard.fact is None:
                yield Gone(channel, heard.key)
            case _:
                yield heard.fact
