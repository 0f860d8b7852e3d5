"""What is left of a pool by kind: partitions as far as counters go, shares as far as capacities go."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from slicewire.allocator.core.census import pool_statuses
from slicewire.allocator.core.search import allocate
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.common.model import Device, DeviceAttribute, DeviceTaint, Quantity, ResourceSlice
from slicewire.common.model.census import PartitionTypeStatus, PoolStatus, ShareableSummaryStatus
from tests.builders import (
    DRIVER,
    NODE,
    a_claim,
    a_counter_set,
    a_gpu,
    a_holding,
    a_shared_gpu,
    a_slice,
    a_snapshot,
)

PROFILE = f"{DRIVER}/profile"


def partitions(**profiles: int) -> list[Device]:
    """As many of each profile as 8 memory slices of one GPU hold, side by side."""
    return [
        a_gpu(
            name=f"mig-{profile}-{start}",
            profile=profile,
            draws={"gpu-0": {f"slice-{at}": "1" for at in range(start, start + size)}},
        )
        for profile, size in profiles.items()
        for start in range(0, 9 - size, size)
    ]


def a_partitioned_gpu(*devices: Device, **spec: object) -> tuple[ResourceSlice, ResourceSlice]:
    counters = a_counter_set("gpu-0", **{f"slice-{at}": "1" for at in range(8)})
    slice_ = a_slice(devices, of=2)
    slice_ = msgspec.structs.replace(slice_, spec=msgspec.structs.replace(slice_.spec, **spec))
    return slice_, a_slice(sets=[counters], name="counters", of=2)


def status_of(snapshot: Snapshot) -> PoolStatus:
    (status,) = pool_statuses(snapshot, NODE)
    return status


def counted(snapshot: Snapshot) -> dict[str, tuple[int, int]]:
    return {each.type: (each.total, each.allocatable) for each in status_of(snapshot).partition_summary}


def test_partitions_are_counted_by_type_each_as_if_only_it_were_asked_for() -> None:
    slices = a_partitioned_gpu(*partitions(whole=8, half=4, small=1))
    assert counted(a_snapshot(*slices)) == {"half": (2, 2), "small": (8, 8), "whole": (1, 1)}
    assert counted(a_snapshot(*slices, used={"c": ["mig-half-4"]})) == {
        "half": (2, 1),
        "small": (8, 4),
        "whole": (1, 0),
    }


def test_a_slice_says_by_which_attribute_its_partitions_are_told_apart() -> None:
    devices = [
        msgspec.structs.replace(
            device, attributes={**device.attributes, "size": DeviceAttribute(int_value=4)}
        )
        for device in partitions(half=4)
    ]
    slices = a_partitioned_gpu(*devices, partition_type_attribute=f"{DRIVER}/size")
    (summary,) = status_of(a_snapshot(*slices)).partition_summary
    assert summary == PartitionTypeStatus(type="4", total=2, allocatable=2, attribute=f"{DRIVER}/size")


def test_without_a_word_from_the_slice_the_type_is_the_profile() -> None:
    (summary,) = status_of(a_snapshot(*a_partitioned_gpu(*partitions(half=4)))).partition_summary
    assert summary.attribute == PROFILE


def test_devices_that_do_not_say_their_type_are_left_out() -> None:
    slices = a_partitioned_gpu(*partitions(half=4), partition_type_attribute="example.com/unknown")
    assert status_of(a_snapshot(*slices)).partition_summary == ()


def test_a_pool_without_counters_has_no_partitions() -> None:
    assert status_of(a_snapshot(a_slice([a_gpu(profile="half")]))).partition_summary == ()


def test_an_overdrawn_counter_blocks_the_whole_pool() -> None:
    slices = a_partitioned_gpu(*partitions(whole=8, half=4, small=1))
    snapshot = a_snapshot(*slices, used={"c": ["mig-half-0", "mig-small-0"]})
    assert counted(snapshot) == {"half": (2, 0), "small": (8, 0), "whole": (1, 0)}


@settings(max_examples=40)
@given(st.sets(st.sampled_from([f"mig-small-{at}" for at in range(8)] + ["mig-half-4"]), max_size=5))
def test_as_many_as_are_told_can_be_allocated_and_no_more(used: set[str]) -> None:
    slices = a_partitioned_gpu(*partitions(whole=8, half=4, small=1))
    snapshot = a_snapshot(*slices, used={"c": sorted(used)} if used else None)
    for profile, (_, allocatable) in counted(snapshot).items():
        selector = f'device.attributes["{DRIVER}"].profile == "{profile}"'
        for count in {allocatable, allocatable + 1} - {0}:
            answer = allocate([a_claim(count, selector)], snapshot, NODE)
            assert isinstance(answer, tuple) is (count <= allocatable)


def shareable(*held: tuple[str, str], plain: bool = False) -> ShareableSummaryStatus | None:
    """Of two GPUs with 80Gi each. `held`: which of them, and how much of its memory."""
    published = a_slice([a_gpu(0), a_gpu(1)] if plain else [a_shared_gpu(0), a_shared_gpu(1)])
    holdings = tuple(
        a_holding(
            f"claim-{at}",
            published,
            device,
            share_id=f"s{at}",
            consumed_capacity={"memory": Quantity(memory)},
        )
        for at, (device, memory) in enumerate(held)
    )
    return status_of(a_snapshot(published).with_holdings(NODE, DRIVER, holdings)).shareable_summary


def amounts(summary: ShareableSummaryStatus | None) -> tuple[int, int, str, str, str]:
    assert summary is not None
    (memory,) = summary.capacity
    assert memory.name == "memory"
    return (
        summary.fully_available_devices,
        summary.partially_available_devices,
        memory.total.text,
        memory.consumed.text,
        memory.available.text,
    )


def test_shares_are_added_up_over_the_pool() -> None:
    assert amounts(shareable()) == (2, 0, "160Gi", "0", "160Gi")
    assert amounts(shareable(("gpu-0", "30Gi"), ("gpu-0", "10Gi"))) == (1, 1, "160Gi", "40Gi", "120Gi")
    assert amounts(shareable(("gpu-0", "80Gi"), ("gpu-1", "1500m"))) == (
        0,
        1,
        "160Gi",
        "85899345921500m",
        "85899345918500m",
    )


def test_a_share_of_nothing_leaves_the_device_fully_available() -> None:
    assert amounts(shareable(("gpu-0", "0"))) == (2, 0, "160Gi", "0", "160Gi")


def test_more_given_away_than_there_is_leaves_nothing_and_never_less() -> None:
    assert amounts(shareable(("gpu-0", "200Gi"))) == (1, 0, "160Gi", "200Gi", "0")


def test_a_device_that_was_given_away_whole_is_used_up() -> None:
    published = a_slice([a_shared_gpu(0), a_shared_gpu(1)])
    status = status_of(a_snapshot(published, used={"c": ["gpu-0"]}))
    assert amounts(status.shareable_summary) == (1, 0, "160Gi", "80Gi", "80Gi")


def test_devices_that_cannot_be_shared_have_no_summary_of_shares() -> None:
    assert shareable(plain=True) is None


def test_allocated_available_and_unavailable_add_up_to_all_even_with_shares() -> None:
    sick = DeviceTaint(key="sick", effect="NoSchedule")
    published = a_slice([a_shared_gpu(0), a_shared_gpu(1), a_shared_gpu(2, taints=(sick,))])
    share = a_holding("c", published, "gpu-0", share_id="s", consumed_capacity={"memory": Quantity("1Gi")})
    status = status_of(a_snapshot(published).with_holdings(NODE, DRIVER, (share,)))
    assert status.total_devices == 3
    assert (status.allocated_devices, status.available_devices, status.unavailable_devices) == (1, 1, 1)


def test_a_pool_that_is_not_usable_says_why_and_counts_nothing() -> None:
    incomplete = status_of(a_snapshot(a_slice([a_gpu(0)], of=2)))
    assert incomplete.validation_error == "1 of 2 slices of generation 1 are published"
    invalid = status_of(a_snapshot(a_slice([a_gpu(0), a_gpu(0)])))
    assert invalid.validation_error == "two devices are named gpu-0"
    for status in (incomplete, invalid):
        assert (status.total_devices, status.partition_summary, status.shareable_summary) == (0, (), None)
