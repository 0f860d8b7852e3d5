"""A server that drops what it does not know: found by reading back, told once, and less published instead."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from slicewire.common.bus.nats import NatsBus
from slicewire.common.model import (
    Counter,
    CounterSet,
    Device,
    DeviceAttribute,
    DeviceCapacity,
    DeviceCounterConsumption,
    DeviceName,
    DeviceTaint,
    Quantity,
)
from tests.component.publisher.world import MANAGED, NODE, Object, World, gpus, publishing
from tests.kubeapi import kinds
from tests.kubeapi.releases import Gate
from tests.kubeapi.server import serving


@pytest.fixture
async def world(bus: NatsBus, tmp_path: Path) -> AsyncIterator[World]:
    async with serving() as api:
        world = World(bus, api)
        async with publishing(bus, api, tmp_path):
            yield world


def with_gates_off(world: World, *gates: Gate, labels: dict[str, str] | None = None) -> None:
    world.api.serve_release(36, "v1", off=gates)
    world.add_node(labels=labels)


def devices(world: World) -> dict[str, Object]:
    return {each["name"]: each for found in world.slices() for each in found["spec"].get("devices", ())}


def events(world: World) -> list[Object]:
    return [dict(each) for each in world.store.all(kinds.NEW_EVENTS)]


async def is_told(world: World, gate: Gate) -> None:
    """On the node, as an Event that names the gate."""
    await world.until(lambda: any(gate.value in each["note"] for each in events(world)))
    (found,) = (each for each in events(world) if gate.value in each["note"])
    assert (found["reason"], found["type"], found["regarding"]["kind"]) == ("FeatureOff", "Warning", "Node")
    assert found["regarding"]["name"] == NODE


def drawing(name: str, amount: int) -> Device:
    drawn = DeviceCounterConsumption(
        counter_set="all", counters={"memory": Counter(value=Quantity(f"{amount}Gi"))}
    )
    return Device(name=DeviceName(name), consumes_counters=(drawn,))


async def test_a_device_whose_taint_cannot_be_said_is_left_out(world: World) -> None:
    with_gates_off(world, Gate.TAINTS)
    sick = Device(name=DeviceName("sick"), taints=(DeviceTaint(key="sick", effect="NoSchedule"),))
    noted = Device(name=DeviceName("noted"), taints=(DeviceTaint(key="noted", effect="None"),))
    await world.tell_pool((sick, noted, *gpus(1)))
    await world.until(lambda: set(devices(world)) == {"noted", "gpu-0"})
    await is_told(world, Gate.TAINTS)


async def test_devices_of_a_managed_node_are_not_left_for_kube_scheduler_to_take(world: World) -> None:
    with_gates_off(world, Gate.TAINTS, labels=MANAGED)
    await world.tell_pool(gpus(2))
    await is_told(world, Gate.TAINTS)
    await world.until(lambda: world.slices() and not devices(world))


async def test_without_counters_whole_gpus_are_published_and_their_partitions_are_not(world: World) -> None:
    with_gates_off(world, Gate.PARTITIONS)
    counters = CounterSet(name="all", counters={"memory": Counter(value=Quantity("80Gi"))})
    parts = (drawing("mig-0", 10), drawing("mig-1", 10))
    await world.tell_pool(
        (*parts, drawing("gpu-0", 80), Device(name=DeviceName("nic"))), counters=(counters,)
    )
    await world.until(lambda: set(devices(world)) == {"gpu-0", "nic"})
    await is_told(world, Gate.PARTITIONS)


async def test_lists_that_are_refused_are_left_out(world: World) -> None:
    with_gates_off(world, Gate.LISTS)
    listed = DeviceAttribute(strings=("a", "b"))
    device = Device(
        name=DeviceName("gpu-0"), attributes={"peers": listed, "model": DeviceAttribute(string="x")}
    )
    await world.tell_pool((device,))
    await world.until(lambda: set(devices(world)) == {"gpu-0"})
    assert set(devices(world)["gpu-0"]["attributes"]) == {"model"}
    await is_told(world, Gate.LISTS)


async def test_without_shares_a_device_is_given_whole(world: World) -> None:
    with_gates_off(world, Gate.CAPACITY)
    device = Device(
        name=DeviceName("gpu-0"),
        allow_multiple_allocations=True,
        capacity={"memory": DeviceCapacity(value=Quantity("80Gi"))},
    )
    await world.tell_pool((device,))
    await is_told(world, Gate.CAPACITY)
    assert devices(world)["gpu-0"] == {"name": "gpu-0", "capacity": {"memory": {"value": "80Gi"}}}


async def test_several_gates_that_are_off_are_all_found(world: World) -> None:
    with_gates_off(world, Gate.TAINTS, Gate.LISTS, Gate.PARTITIONS)
    device = Device(
        name=DeviceName("gpu-0"),
        attributes={"peers": DeviceAttribute(ints=(1, 2))},
        taints=(DeviceTaint(key="noted", effect="None"),),
    )
    await world.tell_pool((device, drawing("mig-0", 1)))
    await world.until(lambda: devices(world) == {"gpu-0": {"name": "gpu-0"}})


async def test_what_is_known_to_be_dropped_is_not_tried_again(world: World) -> None:
    with_gates_off(world, Gate.TAINTS)
    noted = (DeviceTaint(key="noted", effect="None"),)
    await world.tell_pool((Device(name=DeviceName("gpu-0"), taints=noted),))
    await is_told(world, Gate.TAINTS)
    await world.settled()
    before = len(world.writes_about("resourceslices"))
    await world.tell_pool((Device(name=DeviceName("gpu-0"), taints=noted), *gpus(1, first=1)))
    await world.until(lambda: set(devices(world)) == {"gpu-0", "gpu-1"})
    await world.settled()
    assert len(world.writes_about("resourceslices")) == before + 2, "one is that of the fence"
    assert len(events(world)) == 1
