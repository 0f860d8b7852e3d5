"""An allocator that hears late, and with `unfenced` as argument writes over whatever is there.

For tests alone. The service is the real one; only the bus that it is given differs: what others have
told arrives a third of a second late, as on a machine that is busy, and a commit leaves out what each
key is expected to be.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from slicewire.allocator.service import Allocator
from slicewire.allocator.settings import Settings
from slicewire.common import logs, running
from slicewire.common.bus.nats import connected
from slicewire.common.bus.port import CaughtUp, Committed, Heard, Stale, Write
from slicewire.common.bus.shared import ThroughBus
from slicewire.common.messages import Channel
from slicewire.common.settings import from_environ

_LATE_SECONDS = 0.3


class Late(ThroughBus):
    """`Bus` on which others are heard late."""

    async def follow(self, *channels: Channel[Any]) -> AsyncIterator[Heard[Any] | CaughtUp]:
        loop = asyncio.get_running_loop()
        on_the_way: asyncio.Queue[tuple[float, Heard[Any] | CaughtUp]] = asyncio.Queue()

        async def arrive() -> None:
            async for item in self._bus.follow(*channels):
                on_the_way.put_nowait((loop.time() + _LATE_SECONDS, item))

        arriving = asyncio.create_task(arrive())
        try:
            while True:
                due, item = await on_the_way.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                yield item
        finally:
            arriving.cancel()


class Unfenced(Late):
    """And whose commit does not look before it writes."""

    async def commit(self, writes: Sequence[Write]) -> Committed | Stale:
        return await self._bus.commit([msgspec.structs.replace(write, expected=None) for write in writes])


async def serve() -> None:
    settings = from_environ(Settings, "ALLOCATOR", os.environ)
    logs.start(settings.log_level, settings.log_format)
    async with connected(settings.nats_url, name=settings.instance) as opened:
        bus = Unfenced(opened) if "unfenced" in sys.argv else Late(opened)
        await Allocator(bus, settings.untold_nodes).run()


if __name__ == "__main__":
    running.run(serve)
