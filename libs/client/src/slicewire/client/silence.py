"""Whose agents are there: asked, since one that died says nothing. Refuses to guess while the bus is away."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from slicewire.common.bus.port import Bus, BusUnavailable, Declined, NotAllowed
from slicewire.common.messages import ALIVE, AliveRequest, PoolObserved
from slicewire.common.model import DriverName, NodeName

_ANSWER_SECONDS = 2.0
_AT_ONCE = 256
Place = tuple[NodeName, DriverName]


async def silent(bus: Bus, pools: Iterable[PoolObserved]) -> frozenset[Place]:
    """The pools whose agent can be asked, and does not answer. Raises `NotAllowed` where we may not ask."""
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def is_silent(pool: PoolObserved) -> bool:
        async with at_once:
            try:
                said = await bus.ask(
                    ALIVE, AliveRequest(), pool.node, pool.driver, timeout_seconds=_ANSWER_SECONDS
                )
            except NotAllowed:
                raise
            except BusUnavailable:
                return True
            return isinstance(said, Declined)

    asked = [pool for pool in pools if pool.answers]
    first = [await is_silent(pool) for pool in asked[:1]]  # whoever may not ask is told so once
    words = [*first, *await asyncio.gather(*map(is_silent, asked[1:]))]
    return frozenset((pool.node, pool.driver) for pool, word in zip(asked, words, strict=True) if word)
