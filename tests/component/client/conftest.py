"""One allocator, one node of two GPUs, and the command that is told where their bus is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from slicewire.common.bus.nats import NatsBus
from tests.component.allocator.world import World, allocating, pool
from tests.component.client.command import Slicewire


@pytest.fixture
async def world(bus: NatsBus, nats_url: str) -> AsyncIterator[World]:
    world = World(bus)
    await world.begin(pool(gpus=2))
    async with allocating(nats_url):
        yield world


@pytest.fixture
def slicewire(nats_url: str, tmp_path: Path) -> Slicewire:
    return Slicewire(nats_url, tmp_path)
