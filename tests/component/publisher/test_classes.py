"""Classes for what the fleet has: made where they are missing, an admin's never touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from slicewire.common.messages import INVENTORY, PoolObserved
from slicewire.common.model import Device, DeviceAttribute, DeviceName, DriverName, NodeName, PoolName
from slicewire.publisher.service import Policy
from tests.component.publisher.world import NODE, World, publishing
from tests.kubeapi import kinds

DRIVER = "gpu.nvidia.com"
TYPES = {"gpu.nvidia.com", "mig.nvidia.com", "vfio.gpu.nvidia.com"}
PROFILES = {"mig-1g-12gb.gpu.nvidia.com", "mig-3g-47gb-me.gpu.nvidia.com"}


async def tell(world: World, *profiles: str, driver: str = DRIVER, node: str = NODE) -> None:
    """A pool with one partition of each profile."""
    devices = tuple(
        Device(
            name=DeviceName(f"mig-{index}"),
            attributes={"type": DeviceAttribute(string="mig"), "profile": DeviceAttribute(string=profile)},
        )
        for index, profile in enumerate(profiles)
    )
    pool = PoolObserved(
        node=NodeName(node),
        driver=DriverName(driver),
        pool=PoolName(node),
        generation=1,
        devices=devices,
    )
    await world.bus.tell(INVENTORY, pool)


def classes(world: World) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: dict(each["spec"]) for each in world.store.all(kinds.DEVICE_CLASSES)}


@pytest.mark.usefixtures("publisher")
async def test_there_is_a_class_for_each_type_and_for_each_profile_of_the_fleet(world: World) -> None:
    await tell(world, "1g.12gb", "1g.12gb", "3g.47gb+me", "what?")
    await world.until(lambda: set(classes(world)) == TYPES | PROFILES)
    found = classes(world)
    assert found["gpu.nvidia.com"]["extendedResourceName"] == "nvidia.com/gpu"
    assert "extendedResourceName" not in found["mig.nvidia.com"]
    assert found["mig-1g-12gb.gpu.nvidia.com"] == {
        "extendedResourceName": "nvidia.com/mig-1g.12gb",
        "selectors": [
            {
                "cel": {
                    "expression": "device.driver == 'gpu.nvidia.com'"
                    " && device.attributes['gpu.nvidia.com'].type == 'mig'"
                    " && device.attributes['gpu.nvidia.com'].profile == '1g.12gb'"
                }
            }
        ],
    }
    assert found["mig-3g-47gb-me.gpu.nvidia.com"]["extendedResourceName"] == "nvidia.com/mig-3g.47gb.me"


@pytest.mark.usefixtures("publisher")
async def test_a_profile_that_comes_later_gets_its_class(world: World) -> None:
    await tell(world)
    await world.until(lambda: set(classes(world)) == TYPES)
    await tell(world, "1g.12gb", node="node-2")
    await world.until(lambda: "mig-1g-12gb.gpu.nvidia.com" in classes(world))


async def test_an_admins_class_is_left_as_it_is(world: World, tmp_path: Path) -> None:
    spec = {"selectors": [{"cel": {"expression": "false"}}]}
    world.create(kinds.DEVICE_CLASSES, {"metadata": {"name": "gpu.nvidia.com"}, "spec": spec})
    before = world.get(kinds.DEVICE_CLASSES, "gpu.nvidia.com")
    async with publishing(world.bus, world.api, tmp_path):
        await tell(world)
        await world.until(lambda: set(classes(world)) == TYPES)
        await world.settled()
    assert world.get(kinds.DEVICE_CLASSES, "gpu.nvidia.com") == before
    assert set(world.writes_about("deviceclasses")) == {("create", "")}


@pytest.mark.usefixtures("publisher")
async def test_a_class_that_was_deleted_comes_back(world: World) -> None:
    await tell(world)
    await world.until(lambda: set(classes(world)) == TYPES)
    world.delete(kinds.DEVICE_CLASSES, "mig.nvidia.com")
    await world.until(lambda: set(classes(world)) == TYPES)


async def test_an_operator_may_keep_classes_to_himself(world: World, tmp_path: Path) -> None:
    async with publishing(world.bus, world.api, tmp_path, Policy(makes_classes=False)):
        await tell(world, "1g.12gb")
        await world.settled()
    assert not any(name.endswith("nvidia.com") for name in classes(world))


@pytest.mark.usefixtures("publisher")
async def test_a_pool_of_another_driver_has_no_classes(world: World) -> None:
    await tell(world, "1g.12gb", driver="gpu.example.com")
    await world.settled()
    assert not any(name.endswith("nvidia.com") for name in classes(world))
