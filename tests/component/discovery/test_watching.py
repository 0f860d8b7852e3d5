"""What changes on a running node is seen without a restart, soon, and never as a flood."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from slicewire.common.bus.nats import NatsBus
from slicewire.common.nvml.facts import NvmlAbsent
from slicewire.discovery.service import LOOKS_AT_ONCE, LOOKS_PER_SECOND
from tests.component.discovery.world import NODE, SimulatedNode, discovering, hears, latest, names, taints

pytestmark = pytest.mark.slow

CHANGES = 100


@pytest.fixture
def node(tmp_path: Path) -> SimulatedNode:
    return SimulatedNode(tmp_path, gpus=2)


async def test_a_driver_that_is_loaded_anew_is_seen_go_and_come(
    bus: NatsBus, nats_url: str, node: SimulatedNode
) -> None:
    async with discovering(nats_url, node):
        before = await hears(bus, lambda pool: pool.generation == 1)
        node.befalls(0, "driver-away")
        away = await hears(bus, lambda pool: pool.generation == 2)
        assert away.devices == ()
        assert "Driver Not Loaded" in [part.reason for part in away.unreadable]
        node.befalls(0, "driver-back")
        back = await hears(bus, lambda pool: pool.generation == 3)
        assert (back.devices, back.unreadable) == (before.devices, before.unreadable)


async def test_what_was_wrong_before_the_driver_went_is_still_wrong_after(
    bus: NatsBus, nats_url: str, node: SimulatedNode
) -> None:
    async with discovering(nats_url, node):
        await hears(bus, lambda pool: pool.generation == 1)
        node.befalls(1, "xid=94")
        await hears(bus, lambda pool: taints(pool).keys() == {"gpu-1"})
        node.befalls(0, "remove")
        ill = await hears(bus, lambda pool: len(taints(pool)) == 2)
        node.befalls(1, "driver-away")
        away = await hears(bus, lambda pool: "gpu-1" not in names(pool))
        assert names(away) == ["gpu-0"]
        node.befalls(1, "driver-back")
        assert (await hears(bus, lambda pool: len(pool.devices) == 2)).devices == ill.devices


async def test_a_gpu_that_is_plugged_in_is_offered(bus: NatsBus, nats_url: str, node: SimulatedNode) -> None:
    async with discovering(nats_url, node):
        await hears(bus, lambda pool: pool.generation == 1)
        node.change(lambda state: state.with_gpu(2))
        assert names(await hears(bus, lambda pool: pool.generation == 2)) == ["gpu-0", "gpu-1", "gpu-2"]


async def test_a_gpu_in_the_place_of_a_lost_one_has_nothing_said_against_it(
    bus: NatsBus, nats_url: str, node: SimulatedNode
) -> None:
    async with discovering(nats_url, node):
        await hears(bus, lambda pool: pool.generation == 1)
        node.befalls(1, "xid=94")
        await hears(bus, lambda pool: "gpu-1" in taints(pool))
        node.befalls(1, "remove")
        await hears(bus, lambda pool: len(taints(pool).get("gpu-1", ())) == 2)
        node.change(lambda state: state.with_gpu(1).with_changed(1, uuid="GPU-of-another"))
        fresh = await hears(bus, lambda pool: not taints(pool))
        assert fresh.devices[1].attributes["uuid"].string == "GPU-of-another"


async def test_mig_made_by_hand_is_offered(bus: NatsBus, nats_url: str, node: SimulatedNode) -> None:
    nvml = node.nvml()
    async with discovering(nats_url, node):
        await hears(bus, lambda pool: pool.generation == 1)
        await asyncio.to_thread(nvml.set_mig_mode, node.uuid(0), enabled=True)
        await hears(bus, lambda pool: "gpu-0" not in names(pool))
        instance = await asyncio.to_thread(nvml.create_gpu_instance, node.uuid(0), 19, 0)
        assert instance.whole is not None
        await asyncio.to_thread(nvml.create_compute_instance, node.uuid(0), instance.id, instance.whole.id)
        assert "gpu-0-mig-1g10gb-19-0" in names(await hears(bus, lambda pool: len(pool.devices) == 2))
    nvml.close()


@pytest.mark.slow
async def test_a_driver_that_came_unnoticed_is_found(
    bus: NatsBus, nats_url: str, node: SimulatedNode
) -> None:
    """Nothing reports that a library was installed: discovery tries again of itself."""
    async with discovering(nats_url, node) as running:
        await hears(bus, lambda pool: pool.generation == 1)
        running.nvml.hides(NvmlAbsent("no libnvidia-ml.so.1"))
        running.watch.wake()
        await hears(bus, lambda pool: pool.devices == ())
        running.nvml.hides(None)
        assert len((await hears(bus, lambda pool: pool.generation == 3)).devices) == 2


async def test_nvml_begins_anew_once_for_a_gpu_that_the_driver_has_and_it_does_not_list(
    bus: NatsBus, nats_url: str, node: SimulatedNode
) -> None:
    async with discovering(nats_url, node) as running:
        running.nvml.overlooks("0000:4a:00.0")
        await hears(bus, lambda pool: pool.generation == 1)
        node.change(lambda state: state.with_gpu(2))
        assert len((await hears(bus, lambda pool: pool.generation == 2)).devices) == 3
        assert running.nvml.begun_anew == 1


async def test_a_node_that_flaps_does_not_flood_the_stream(
    bus: NatsBus, nats_url: str, node: SimulatedNode
) -> None:
    async with discovering(nats_url, node):
        await hears(bus, lambda pool: pool.generation == 1)
        started = asyncio.get_running_loop().time()
        for change in range(CHANGES):
            await asyncio.to_thread(node.befalls, 0, "recover" if change % 2 else "lost")
        await asyncio.to_thread(node.befalls, 1, "thermal")
        last = await hears(bus, lambda pool: "gpu-1" in taints(pool))
        seconds = asyncio.get_running_loop().time() - started
        assert taints(last).keys() == {"gpu-1"}
        assert last.generation - 1 <= LOOKS_AT_ONCE + LOOKS_PER_SECOND * (seconds + 1)
        assert (await latest(bus))[NODE][1] == last
    assert 3 * last.generation < CHANGES
