"""A small Kubernetes API with one node, a bus, and a publisher between them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from slicewire.common.bus.nats import NatsBus
from slicewire.publisher.service import Publisher
from tests.component.publisher.world import World, publishing
from tests.kubeapi.server import KubeApi, serving


@pytest.fixture
async def api() -> AsyncIterator[KubeApi]:
    async with serving() as running:
        yield running


@pytest.fixture
def world(bus: NatsBus, api: KubeApi) -> World:
    """Without a publisher yet."""
    world = World(bus, api)
    world.add_node()
    return world


@pytest.fixture
async def publisher(world: World, tmp_path: Path) -> AsyncIterator[Publisher]:
    async with publishing(world.bus, world.api, tmp_path) as running:
        yield running
