"""Events of the history, each waited for: what a test looks back at must be there first."""

from __future__ import annotations

from typing import Any

from slicewire.common.bus.nats import NatsBus
from slicewire.common.bus.port import CaughtUp, Committed, Write
from slicewire.common.messages import CATALOGUE, HISTORY_STREAM, Channel, Fact


class History:
    """Tells facts one by one, and says which events they became."""

    def __init__(self, bus: NatsBus) -> None:
        self._bus = bus
        self._events = bus.replay(0, *CATALOGUE)

    async def tell(self, channel: Channel[Any], fact: Fact) -> int:
        return await self.write(Write(channel, channel.key(fact), fact))

    async def write(self, write: Write) -> int:
        kept = await self._bus.commit([write])
        assert isinstance(kept, Committed)
        return await self.event(kept.sequence)

    async def event(self, sequence: int) -> int:
        """The event that this sequence of the state became."""
        async for heard in self._events:
            if not isinstance(heard, CaughtUp) and heard.sequence >= sequence:
                return heard.event
        raise AssertionError("replaying ended")

    async def of(self, channel: Channel[Any], *key: str) -> int:
        """The event that told the next fact of this key."""
        async for heard in self._events:
            if not isinstance(heard, CaughtUp) and (heard.channel.kind, heard.key) == (channel.kind, key):
                return heard.event
        raise AssertionError("replaying ended")

    async def forget_before(self, event: int) -> None:
        """As age and size do."""
        await self._bus.link.api(f"STREAM.PURGE.{HISTORY_STREAM}", {"seq": event})
