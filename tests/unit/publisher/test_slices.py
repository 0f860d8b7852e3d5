"""A pool as Kubernetes wants it: cut, named, owned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicewire.common.model import (
    CounterSet,
    Device,
    DeviceAttribute,
    DeviceCounterConsumption,
    DeviceName,
    DeviceTaint,
    DriverName,
    NodeName,
    OwnerReference,
    PoolName,
    ResourceSlice,
    wire,
)
from slicewire.publisher.core.slices import Owner, PoolWanted, desired_slices, index_of
from tests.unit.publisher.storing import DRIVER, NODE, POOL, a_pool, counter_sets, gpus

GOLDEN = Path(__file__).parents[4] / "shared" / "nvidia-slices"
MANAGED = DeviceTaint(key="slicewire.dev/managed", effect="NoSchedule")
SICK = DeviceTaint(key="sick", effect="NoExecute")


def sizes(wanted: PoolWanted) -> list[int]:
    return [len(found.spec.devices) for found in desired_slices(wanted)]


def test_an_empty_pool_is_one_empty_slice() -> None:
    (only,) = desired_slices(a_pool())
    assert (only.spec.devices, only.spec.shared_counters) == ((), ())
    assert (only.spec.pool.name, only.spec.pool.resource_slice_count) == (POOL, 1)


def test_a_slice_belongs_to_its_node_and_is_named_after_its_place() -> None:
    (only,) = desired_slices(a_pool(gpus(2)))
    assert only.metadata.generate_name == "00000-gpu.nvidia.com-node-a-"
    assert only.metadata.owner_references == (
        OwnerReference(api_version="v1", kind="Node", name=NODE, uid="uid-of-node-a", controller=True),
    )
    assert (only.spec.driver, only.spec.node_name, only.spec.pool.generation) == (DRIVER, NODE, 0)


@pytest.mark.parametrize(("devices", "cut"), [(128, [128]), (129, [128, 1]), (257, [128, 128, 1])])
def test_plain_devices_go_128_to_a_slice(devices: int, cut: list[int]) -> None:
    assert sizes(a_pool(gpus(devices))) == cut


@pytest.mark.parametrize(
    "advanced",
    [
        {"taints": (SICK,)},
        {"consumes_counters": (DeviceCounterConsumption(counter_set="gpu-0-counters"),)},
        {"attributes": {"numaNodes": DeviceAttribute(ints=(0, 1))}},
        {"attributes": {"links": DeviceAttribute(bools=(True,))}},
        {"attributes": {"peers": DeviceAttribute(strings=("gpu-1",))}},
        {"attributes": {"drivers": DeviceAttribute(versions=("1.0.0",))}},
    ],
)
def test_one_device_with_taints_counters_or_lists_makes_it_64_for_the_whole_pool(
    advanced: dict[str, Any],
) -> None:
    assert sizes(a_pool(gpus(64) + gpus(1, first=64, **advanced))) == [64, 1]
    assert sizes(a_pool(gpus(1, **advanced) + gpus(63, first=1))) == [64]


def test_a_scalar_attribute_is_nothing_advanced() -> None:
    assert sizes(a_pool(gpus(128, attributes={"index": DeviceAttribute(int_value=0)}))) == [128]


def test_taints_of_the_pool_count_towards_the_limit_too() -> None:
    assert sizes(a_pool(gpus(65), taints=(MANAGED,))) == [64, 1]


def test_counter_sets_come_first_eight_to_a_slice_and_apart_from_devices() -> None:
    slices = desired_slices(a_pool(gpus(1), shared_counters=counter_sets(9)))
    layout = [(len(found.spec.shared_counters), len(found.spec.devices)) for found in slices]
    assert layout == [(8, 0), (1, 0), (0, 1)]
    assert [found.metadata.generate_name[:6] for found in slices] == ["00000-", "00001-", "00002-"]
    assert {found.spec.pool.resource_slice_count for found in slices} == {3}


def test_indices_are_hexadecimal() -> None:
    slices = desired_slices(a_pool(shared_counters=counter_sets(8 * 17)))
    assert [slices[place].metadata.generate_name[:6] for place in (9, 10, 16)] == [
        "00009-",
        "0000a-",
        "00010-",
    ]


def test_taints_of_the_pool_come_after_those_of_the_device() -> None:
    (only,) = desired_slices(a_pool(gpus(1, taints=(SICK,)) + gpus(1, first=1), taints=(MANAGED,)))
    assert [device.taints for device in only.spec.devices] == [(SICK, MANAGED), (MANAGED,)]


def test_a_device_that_has_a_taint_of_the_pool_keeps_its_own_with_its_time() -> None:
    own = DeviceTaint(key=MANAGED.key, effect=MANAGED.effect, time_added="2026-11-24T10:00:00Z")
    (only,) = desired_slices(a_pool(gpus(1, taints=(own,)), taints=(MANAGED, MANAGED)))
    assert only.spec.devices[0].taints == (own,)


def test_a_taint_of_another_value_is_another_taint() -> None:
    other = DeviceTaint(key=MANAGED.key, effect=MANAGED.effect, value="by-hand")
    (only,) = desired_slices(a_pool(gpus(1, taints=(other,)), taints=(MANAGED,)))
    assert only.spec.devices[0].taints == (other, MANAGED)


@given(st.integers(0, 300), st.integers(0, 20), st.none() | st.integers(0, 299))
def test_cutting_loses_repeats_and_reorders_nothing(devices: int, sets: int, tainted: int | None) -> None:
    wanted = a_pool(
        tuple(
            Device(name=DeviceName(f"gpu-{index}"), taints=(SICK,) if index == tainted else ())
            for index in range(devices)
        ),
        shared_counters=counter_sets(sets),
    )
    slices = desired_slices(wanted)
    limit = 64 if tainted is not None and tainted < devices else 128
    assert tuple(device for found in slices for device in found.spec.devices) == wanted.devices
    assert tuple(one for found in slices for one in found.spec.shared_counters) == wanted.shared_counters
    assert all(len(found.spec.devices) <= limit for found in slices)
    assert all(not (found.spec.devices and found.spec.shared_counters) for found in slices)
    assert {found.spec.pool.resource_slice_count for found in slices} == {len(slices)}
    assert [index_of(f"{found.metadata.generate_name}x7k2p", DRIVER, NODE) for found in slices] == list(
        range(len(slices))
    )


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("00000-gpu.nvidia.com-node-a-x7k2p", 0),
        ("0001f-gpu.nvidia.com-node-a-x7k2p", 31),
        ("100000-gpu.nvidia.com-node-a-x7k2p", 1 << 20),
    ],
)
def test_the_index_is_read_from_the_name(name: str, index: int) -> None:
    assert index_of(name, DRIVER, NODE) == index


@pytest.mark.parametrize(
    "name",
    [
        "",
        "00000",
        "00000-",
        "node-a-gpu.nvidia.com-x7k2p",  # the random scheme
        "0000-gpu.nvidia.com-node-a-x7k2p",  # too short an index
        "0000g-gpu.nvidia.com-node-a-x7k2p",  # not hexadecimal
        "0000A-gpu.nvidia.com-node-a-x7k2p",  # not lower case
        "+0000-gpu.nvidia.com-node-a-x7k2p",
        "\u0660\u0660\u0660\u0660\u0660-gpu.nvidia.com-node-a-x7k2p",  # digits of another script
        "00000gpu.nvidia.com-node-a-x7k2p",  # no separator
        "00000-gpu.example.com-node-a-x7k2p",
        "00000-gpu.nvidia.com-node-b-x7k2p",
        "00000-gpu.nvidia.com-node-a-b-x7k2p",  # a node whose name begins like ours
        "00000-gpu.nvidia.com-node-a-x7k2",
        "00000-gpu.nvidia.com-node-a-x7k2p9",
        "00000-gpu.nvidia.com-node-a-x7k2p\n",
    ],
)
def test_a_name_of_another_scheme_driver_or_owner_has_no_index(name: str) -> None:
    assert index_of(name, DRIVER, NODE) is None


def test_the_index_survives_the_server_s_cut_of_long_names() -> None:
    owner = "node-" + "a" * 60
    base = f"00002-{DRIVER}-{owner}-"[:58]
    assert index_of(f"{base}x7k2p", DRIVER, owner) == 2
    assert index_of(f"{base}x7k2p", DRIVER, "node-" + "b" * 60) is None


@pytest.mark.skipif(not GOLDEN.is_dir(), reason="needs the golden slices in ../shared/nvidia-slices")
def test_full_gpus_are_published_as_nvidia_s_driver_does() -> None:
    (item,) = golden("h100-default-sysfs.json")
    made = json.loads(wire.encode(desired_slices(_wanted((item,)))[0]))
    item["spec"]["pool"]["generation"] = 0
    made["spec"]["pool"].setdefault("generation", 0)
    assert made["spec"] == item["spec"]
    assert made["metadata"]["generateName"] == item["metadata"]["generateName"]
    assert made["metadata"]["ownerReferences"] == item["metadata"]["ownerReferences"]
    assert index_of(item["metadata"]["name"], "gpu.nvidia.com", "node-h100") == 0


@pytest.mark.skipif(not GOLDEN.is_dir(), reason="needs the golden slices in ../shared/nvidia-slices")
def test_partitions_are_published_behind_a_slice_of_their_counters() -> None:
    items = golden("h100-dynmig.json")
    counters, *partitions = desired_slices(_wanted(items))
    assert json.loads(wire.encode(counters.spec))["sharedCounters"] == items[0]["spec"]["sharedCounters"]
    made = [json.loads(wire.encode(found.spec)) for found in partitions]
    assert [found["devices"] for found in made] == [item["spec"]["devices"] for item in items[1:]]


def golden(name: str) -> tuple[dict[str, Any], ...]:
    return tuple(json.loads((GOLDEN / name).read_text())["items"])


def _wanted(items: tuple[dict[str, Any], ...]) -> PoolWanted:
    slices = [wire.convert(item, ResourceSlice) for item in items]
    (owner,) = slices[0].metadata.owner_references
    sets: tuple[CounterSet, ...] = ()
    for found in slices:
        sets += found.spec.shared_counters
    return PoolWanted(
        owner=Owner(NodeName(owner.name), owner.uid),
        driver=DriverName(slices[0].spec.driver),
        pool=PoolName(slices[0].spec.pool.name),
        devices=tuple(device for found in slices for device in found.spec.devices),
        shared_counters=sets,
    )
