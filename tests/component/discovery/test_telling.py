"""Discovery tells what it sees, once, and again only when that changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from slicewire.common.bus.nats import NatsBus
from slicewire.common.messages import INVENTORY
from slicewire.common.model import NodeName, PoolName
from slicewire.common.model.naming import NVIDIA_DRIVER
from slicewire.common.nvml.facts import EventKind
from tests.component.discovery.world import NODE, SimulatedNode, discovering, hears, latest, names, well


@pytest.fixture
def node(tmp_path: Path) -> SimulatedNode:
    return SimulatedNode(tmp_path)


async def test_at_the_start_the_whole_pool_is_told(bus: NatsBus, nats_url: str, node: SimulatedNode) -> None:
    async with discovering(nats_url, node) as running:
        pool = await hears(bus, lambda pool: True)
        assert (pool.node, pool.driver, pool.generation) == (NODE, NVIDIA_DRIVER, 1)
        assert pool.pool == PoolName(NODE)
        assert names(pool) == ["gpu-0", "gpu-1", "gpu-2", "gpu-3"]
        assert pool.unreadable == ()
        await running.nvml.settled()
        assert running.discovery.is_ready()


async def test_a_gpu_that_cannot_be_read_leaves_the_pool_and_is_said_and_comes_back(
    bus: NatsBus, nats_url: str, node: SimulatedNode
) -> None:
    async with discovering(nats_url, node):
        await hears(bus, lambda pool: pool.generation == 1)
        node.change(lambda state: state.with_fault(2, "Unknown Error"))
        ill = await hears(bus, lambda pool: pool.generation == 2)
        assert names(ill) == ["gpu-0", "gpu-1", "gpu-3"]
        assert [(part.what, part.reason) for part in ill.unreadable] == [("GPU 2", "Unknown Error")]
        node.change(lambda state: state.with_fault(2, ""))
        again = await hears(bus, lambda pool: pool.generation == 3)
        assert len(well(again)) == 4
        assert again.unreadable == ()


async def test_a_driver_that_comes_late_is_waited_for_with_an_empty_pool(
    bus: NatsBus, nats_url: str, node: SimulatedNode
) -> None:
    node.change(lambda state: state.with_driver(absent="Driver Not Loaded"))
    async with discovering(nats_url, node):
        empty = await hears(bus, lambda pool: pool.generation == 1)
        assert empty.devices == ()
        assert ("NVML", "Driver Not Loaded") in [(part.what, part.reason) for part in empty.unreadable]
        node.change(lambda state: state.with_driver())
        assert len((await hears(bus, lambda pool: pool.generation == 2)).devices) == 4


async def test_events_and_looks_that_show_nothing_new_tell_nothing(
    bus: NatsBus, nats_url: str, node: SimulatedNode
) -> None:
    async with discovering(nats_url, node, look_every_seconds=0.02):
        await hears(bus, lambda pool: pool.generation == 1)
        for code in range(5):
            node.change(lambda state, code=code: state.with_event(0, EventKind.RECOVERY, code))  # type: ignore[misc]
        node.change(lambda state: state.without_gpu(0))
        pool = await hears(bus, lambda pool: len(well(pool)) == 3)
        assert pool.generation == 2


async def test_two_nodes_tell_of_themselves_alone(bus: NatsBus, nats_url: str, tmp_path: Path) -> None:
    other = NodeName("node-b")
    first, second = SimulatedNode(tmp_path, 2), SimulatedNode(tmp_path, 3, other)
    async with discovering(nats_url, first), discovering(nats_url, second):
        await hears(bus, lambda pool: pool.generation == 1)
        await hears(bus, lambda pool: pool.generation == 1, other)
        told = {name: (pool.generation, len(pool.devices)) for name, (_, pool) in (await latest(bus)).items()}
        assert told == {NODE: (1, 2), other: (1, 3)}
        uuids = [d.attributes["uuid"] for _, pool in (await latest(bus)).values() for d in pool.devices]
        assert len(set(uuids)) == 5


async def test_the_fact_is_under_the_key_of_node_and_driver(
    bus: NatsBus, nats_url: str, node: SimulatedNode
) -> None:
    async with discovering(nats_url, node):
        pool = await hears(bus, lambda pool: True)
    assert INVENTORY.subject(*INVENTORY.key(pool)).endswith(".inventory.node-a_example.gpu_nvidia_com")
