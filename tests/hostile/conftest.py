"""A node as in the tests of node-prep, in a folder whose name is short enough for unix sockets."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from slicewire.common.bus.nats import NatsBus
from tests.component.allocator.world import World, allocating, pool
from tests.component.node_prep.harness import Station
from tests.hostile.world import Stranger, stranger


@pytest.fixture
async def world(bus: NatsBus, nats_url: str) -> AsyncIterator[World]:
    """An allocator, and one node of four GPUs."""
    world = World(bus)
    await world.begin(pool(gpus=4))
    async with allocating(nats_url):
        yield world


@pytest.fixture
async def someone(nats_url: str) -> AsyncIterator[Stranger]:
    async with stranger(nats_url) as found:
        yield found


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sw-") as name:
        yield Path(name)


@pytest.fixture
async def station(folder: Path, nats_url: str, bus: NatsBus) -> AsyncIterator[Station]:
    made = Station(folder, nats_url, bus)
    with closing(made.nvml):
        await made.author.tell_inventory()
        yield made
