"""Slices out: what discovery told is what Kubernetes has, and no request more than it takes."""

from __future__ import annotations

from typing import Any

import pytest

from slicewire.common.messages import ALLOCATION_LABEL, NODES
from slicewire.common.model import Counter, CounterSet, Device, DeviceCounterConsumption, DeviceName, Quantity
from tests.component.publisher.world import MANAGED, NODE, Object, World, gpus
from tests.kubeapi import kinds
from tests.kubeapi.controllers import running_controllers
from tests.kubeapi.controllers.garbage import GARBAGE_STEPS
from tests.kubeapi.examples import DRIVER, a_slice

pytestmark = pytest.mark.usefixtures("publisher")


def sizes(world: World) -> list[int]:
    return [len(names) for names in world.device_names()]


def generations(world: World) -> set[int]:
    return {found["spec"]["pool"]["generation"] for found in world.slices()}


def taints(world: World) -> list[list[str]]:
    """The keys of the taints of every device."""
    devices = [device for found in world.slices() for device in found["spec"]["devices"]]
    return [[taint["key"] for taint in device.get("taints", ())] for device in devices]


async def test_a_pool_becomes_a_slice_of_its_node(world: World) -> None:
    await world.tell_pool(gpus(2))
    (found,) = await world.until(world.slices)
    assert found["metadata"]["name"].startswith(f"00000-{DRIVER}-{NODE}-")
    (owner,) = found["metadata"]["ownerReferences"]
    uid = world.get(kinds.NODES, NODE)["metadata"]["uid"]
    assert owner == {"apiVersion": "v1", "kind": "Node", "name": NODE, "uid": uid, "controller": True}
    assert found["spec"]["pool"] == {"name": NODE, "generation": 1, "resourceSliceCount": 1}
    assert world.device_names() == [["gpu-0", "gpu-1"]]


async def test_changed_devices_of_one_slice_are_one_update_of_the_same_generation(world: World) -> None:
    await world.tell_pool(gpus(2))
    (before,) = await world.until(world.slices)
    await world.tell_pool(gpus(3), generation=2)
    await world.until(lambda: world.device_names() == [["gpu-0", "gpu-1", "gpu-2"]])
    (after,) = world.slices()
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert generations(world) == {1}
    assert world.writes_about("resourceslices") == [("create", ""), ("update", "")]


async def test_a_pool_told_again_is_no_request(world: World) -> None:
    await world.tell_pool(gpus(2))
    await world.until(world.slices)
    await world.tell_pool(gpus(2), generation=2)
    await world.settled()
    assert len(world.writes_about("resourceslices")) == 2, "one is that of the fence"


async def test_a_node_that_only_breathes_is_no_request(world: World) -> None:
    await world.tell_pool(gpus(2))
    await world.until(world.slices)
    world.change(kinds.NODES, NODE, lambda node: node["metadata"].update(annotations={"beat": "1"}))
    await world.settled()
    assert len(world.writes_about("resourceslices")) == 2, "one is that of the fence"


async def test_a_deleted_slice_comes_back(world: World) -> None:
    await world.tell_pool(gpus(2))
    (before,) = await world.until(world.slices)
    world.delete(kinds.SLICES, before["metadata"]["name"])
    (after,) = await world.until(world.slices)
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert world.device_names() == [["gpu-0", "gpu-1"]]


async def test_slices_that_a_kubelet_wiped_when_it_started_come_back_once(world: World) -> None:
    await world.tell_pool(gpus(200))
    await world.until(lambda: sizes(world) == [128, 72])
    for found in world.slices():
        world.delete(kinds.SLICES, found["metadata"]["name"])
    await world.until(lambda: sizes(world) == [128, 72])
    await world.settled()
    assert sizes(world) == [128, 72]


async def test_a_slice_that_others_edited_is_made_right(world: World) -> None:
    await world.tell_pool(gpus(2))
    (found,) = await world.until(world.slices)

    def take_a_device(slice_: Object) -> None:
        slice_["spec"]["devices"].pop()

    world.change(kinds.SLICES, found["metadata"]["name"], take_a_device)
    assert world.device_names() == [["gpu-0"]]
    await world.until(lambda: world.device_names() == [["gpu-0", "gpu-1"]])


async def test_what_others_wrote_beside_the_devices_stays(world: World) -> None:
    await world.tell_pool(gpus(1))
    (found,) = await world.until(world.slices)
    name = found["metadata"]["name"]
    world.change(kinds.SLICES, name, lambda each: each["metadata"].update(labels={"seen": "yes"}))
    await world.tell_pool(gpus(2))
    await world.until(lambda: world.device_names() == [["gpu-0", "gpu-1"]])
    assert world.get(kinds.SLICES, name)["metadata"]["labels"] == {"seen": "yes"}


@pytest.mark.parametrize(("number", "cut"), [(128, [128]), (300, [128, 128, 44])])
async def test_plain_devices_go_128_to_a_slice(world: World, number: int, cut: list[int]) -> None:
    await world.tell_pool(gpus(number))
    await world.until(lambda: len(world.slices()) == len(cut))
    assert sizes(world) == cut
    assert {found["spec"]["pool"]["resourceSliceCount"] for found in world.slices()} == {len(cut)}
    assert generations(world) == {1}


async def test_devices_with_counters_go_64_to_a_slice_and_their_counters_apart(world: World) -> None:
    drawn = DeviceCounterConsumption(counter_set="all", counters={"memory": Counter(value=Quantity("1Gi"))})
    devices = tuple(
        Device(name=DeviceName(f"mig-{index}"), consumes_counters=(drawn,)) for index in range(100)
    )
    counters = CounterSet(name="all", counters={"memory": Counter(value=Quantity("100Gi"))})
    await world.tell_pool(devices, counters=(counters,))
    await world.until(lambda: len(world.slices()) == 3)
    assert sizes(world) == [0, 64, 36]


async def test_a_pool_that_grows_and_shrinks_takes_a_new_generation_and_leaves_nothing_behind(
    world: World,
) -> None:
    await world.tell_pool(gpus(100))
    await world.until(world.slices)
    await world.tell_pool(gpus(200))
    await world.until(lambda: sizes(world) == [128, 72] and generations(world) == {2})
    await world.tell_pool(gpus(1))
    await world.until(lambda: sizes(world) == [1])
    (only,) = world.slices()
    assert only["spec"]["pool"]["resourceSliceCount"] == 1


async def test_a_managed_node_taints_its_devices_until_its_label_goes(world: World) -> None:
    await world.tell_pool(gpus(2))
    await world.until(world.slices)

    def label(node: Object) -> None:
        node["metadata"]["labels"] = dict(MANAGED)

    def unlabel(node: Object) -> None:
        del node["metadata"]["labels"][ALLOCATION_LABEL]

    world.change(kinds.NODES, NODE, label)
    await world.until(lambda: taints(world) == [["slicewire.dev/managed"]] * 2)
    world.change(kinds.NODES, NODE, unlabel)
    await world.until(lambda: taints(world) == [[], []])


async def test_a_pool_of_a_node_that_kubernetes_does_not_know_waits_for_it(world: World) -> None:
    await world.tell_pool(gpus(1), node="node-9")
    await world.settled()
    assert world.slices("node-9") == []
    world.add_node("node-9")
    await world.until(lambda: world.slices("node-9"))


async def test_a_node_made_anew_owns_its_slices_again(world: World) -> None:
    await world.tell_pool(gpus(1))
    await world.until(world.slices)
    async with running_controllers(world.store, GARBAGE_STEPS):
        world.delete(kinds.NODES, NODE)
        await world.until(lambda: not world.slices())
        await world.hears(NODES, NODE, lambda fact: fact is None)
        uid = world.add_node()["metadata"]["uid"]
        (found,) = await world.until(world.slices)
        assert found["metadata"]["ownerReferences"][0]["uid"] == uid


async def test_slices_of_another_driver_are_left_alone(world: World) -> None:
    other = world.create(kinds.SLICES, a_slice("other", driver="nic.example.com"))
    await world.tell_pool(gpus(1))
    await world.until(lambda: len(world.slices()) == 2)
    await world.settled()
    assert world.get(kinds.SLICES, "other") == other


async def test_a_pool_that_kubernetes_refuses_does_not_stop_the_others(world: World) -> None:
    world.add_node("node-2")
    wrong = Device(name=DeviceName("Not_A_Name"))
    await world.tell_pool((wrong,))
    await world.tell_pool(gpus(1), node="node-2")
    await world.until(lambda: world.slices("node-2"))
    await world.settled()
    assert world.slices() == []
    await world.tell_pool(gpus(1))
    await world.until(world.slices)


async def test_a_slice_that_cannot_be_read_does_not_stop_the_others(world: World) -> None:
    broken: dict[str, Any] = a_slice("broken", driver="nic.example.com")
    made = world.create(kinds.SLICES, broken)
    world.store.history.put(kinds.SLICES, {**made, "spec": {**made["spec"], "devices": "what?"}})
    await world.tell_pool(gpus(1))
    await world.until(lambda: world.device_names() == [["gpu-0"]])
    world.api.watches.expire()
    await world.tell_pool(gpus(2))
    await world.until(lambda: world.device_names() == [["gpu-0", "gpu-1"]])
