"""Free is one thing, placeable another: partitions of one GPU share what they need."""

from __future__ import annotations

from slicewire.allocator.core.census import capacity_of, pool_statuses
from slicewire.common.model import DeviceTaint
from tests.builders import CLASS, NODE, a_class, a_counter_set, a_gpu, a_pool, a_slice, a_snapshot


def test_whole_gpus_are_placeable_as_far_as_they_are_free() -> None:
    (slice_,) = a_pool(gpus=4)
    snapshot = a_snapshot(slice_, used={"c": ["gpu-1"]})
    (row,) = capacity_of(snapshot, NODE, a_class())
    assert (row.device_class, row.devices, row.free, row.placeable) == (CLASS, 4, 3, 3)
    (status,) = pool_statuses(snapshot, NODE)
    assert (status.total_devices, status.allocated_devices, status.available_devices) == (4, 1, 3)


def test_a_tainted_device_is_not_free() -> None:
    taint = DeviceTaint(key="k", effect="NoSchedule")
    snapshot = a_snapshot(a_slice([a_gpu(0, taints=(taint,)), a_gpu(1)]))
    (row,) = capacity_of(snapshot, NODE, a_class())
    assert (row.devices, row.free, row.placeable) == (2, 1, 1)
    (status,) = pool_statuses(snapshot, NODE)
    assert status.unavailable_devices == 1


def test_partitions_are_counted_by_profile_and_placeable_as_far_as_counters_go() -> None:
    counters = a_slice(sets=[a_counter_set("gpu-0", memory="80Gi")], name="counters", of=2)
    devices = [
        a_gpu(name=f"mig-{n}-{profile}", profile=profile, draws={"gpu-0": {"memory": size}})
        for profile, size in (("1g", "20Gi"), ("2g", "40Gi"))
        for n in range(4)
    ]
    snapshot = a_snapshot(counters, a_slice(devices, of=2))
    rows = capacity_of(snapshot, NODE, a_class())
    assert {row.profile: (row.devices, row.free, row.placeable) for row in rows} == {
        "1g": (4, 4, 4),
        "2g": (4, 4, 2),
    }
