"""A service that is told to stop while its bus is being connected stops, at whichever moment it is told."""

from __future__ import annotations

import asyncio

from slicewire.common.bus.nats import connected

MOMENTS = 40
"""Turns of the event loop; to be connected takes fewer."""
SOON_SECONDS = 10.0


async def on_the_bus(nats_url: str) -> None:
    async with connected(nats_url, name="told-to-stop"):
        await asyncio.Event().wait()


async def test_told_to_stop_at_any_moment_of_connecting_it_stops(nats_url: str) -> None:
    for turns in range(MOMENTS):
        task = asyncio.create_task(on_the_bus(nats_url))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        stopped, _ = await asyncio.wait([task], timeout=SOON_SECONDS)
        assert stopped, f"told after {turns} turns, it goes on"
        assert task.cancelled()
