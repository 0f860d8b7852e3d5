"""One allocator and a pool of 8 GPUs."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from slicewire.common.bus.nats import NatsBus
from tests.component.allocator.world import World, allocating
from tests.past import History


@pytest.fixture
async def world(bus: NatsBus, nats_url: str) -> AsyncIterator[World]:
    world = World(bus)
    await world.begin()
    async with allocating(nats_url):
        yield world


@pytest.fixture
def history(bus: NatsBus) -> History:
    return History(bus)
