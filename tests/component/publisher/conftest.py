"""A small Kubernetes API with one node, a bus, and a publisher between them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from slicewire.common.bus.nats import NatsBus
from slicewire.publisher.service import Publisher
from tests.component.publisher.world import World, publishing, running
from tests.kubeapi.server import KubeApi, serving


@pytest.fixture
async def api() -> AsyncIterator[KubeApi]:
    async with serving() as served:
        yield served


@pytest.fixture
async def world(bus: NatsBus, api: KubeApi) -> AsyncIterator[World]:
    """Without a publisher yet."""
    world = World(bus, api)
    world.add_node()
    async with running(world.allocator.run()):
        yield world


@pytest.fixture
async def publisher(world: World, tmp_path: Path) -> AsyncIterator[Publisher]:
    async with publishing(world.bus, world.api, tmp_path) as publisher:
        yield publisher
