"""A pool whose agent took back what it told: tainted for a while, then gone."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from slicewire.common.messages import INVENTORY
from slicewire.publisher.service import Policy
from tests.component.publisher.world import NODE, World, forget, gpus, publishing
from tests.kubeapi import kinds
from tests.kubeapi.examples import DRIVER, a_slice

pytestmark = pytest.mark.slow

LONG, SHORT = Policy(keep_silent=timedelta(hours=1)), Policy(keep_silent=timedelta(seconds=1))


def taints(world: World) -> list[str]:
    """Of all devices."""
    devices = [device for found in world.slices() for device in found["spec"]["devices"]]
    return [taint["key"] for device in devices for taint in device.get("taints", ())]


async def test_its_devices_stay_tainted_and_are_free_again_when_it_speaks(
    world: World, tmp_path: Path
) -> None:
    async with publishing(world.bus, world.api, tmp_path, LONG):
        await world.tell_pool(gpus(2))
        await world.until(world.slices)
        await forget(world.bus, INVENTORY, NODE, DRIVER)
        await world.until(lambda: taints(world) == ["slicewire.dev/silent"] * 2)
        await world.settled()
        assert world.device_names() == [["gpu-0", "gpu-1"]]
        await world.tell_pool(gpus(2), generation=2)
        await world.until(lambda: taints(world) == [])


async def test_after_a_while_its_slices_are_removed(world: World, tmp_path: Path) -> None:
    async with publishing(world.bus, world.api, tmp_path, SHORT):
        await world.tell_pool(gpus(200))
        await world.until(lambda: len(world.slices()) == 2)
        await forget(world.bus, INVENTORY, NODE, DRIVER)
        await world.until(lambda: not world.slices())


async def test_the_time_does_not_begin_anew_with_a_restart(world: World, tmp_path: Path) -> None:
    async with publishing(world.bus, world.api, tmp_path, LONG):
        await world.tell_pool(gpus(1))
        await world.until(world.slices)
        await forget(world.bus, INVENTORY, NODE, DRIVER)
        await world.until(lambda: taints(world) == ["slicewire.dev/silent"])
    name = world.slices()[0]["metadata"]["name"]

    def long_ago(found: dict[str, object]) -> None:
        found["spec"]["devices"][0]["taints"][0]["timeAdded"] = "2020-01-01T00:00:00Z"  # type: ignore[index]

    world.change(kinds.SLICES, name, long_ago)
    async with publishing(world.bus, world.api, tmp_path, LONG):
        await world.until(lambda: not world.slices())


@pytest.mark.parametrize("policy", [LONG, SHORT], ids=["long", "short"])
async def test_a_pool_that_was_never_told_of_is_another_drivers(
    world: World, tmp_path: Path, policy: Policy
) -> None:
    other = world.create(kinds.SLICES, a_slice("other", driver="nic.example.com"))
    async with publishing(world.bus, world.api, tmp_path, policy):
        await world.settled()
    assert world.get(kinds.SLICES, "other") == other
