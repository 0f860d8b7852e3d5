"""What is shown of a pool whose agent has fallen silent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from slicewire.common.model import (
    Device,
    DeviceName,
    DeviceTaint,
    DriverName,
    PoolName,
    ResourcePool,
    ResourceSlice,
    ResourceSliceSpec,
)
from slicewire.publisher.core.silence import SILENT_TAINT, silent

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def a_slice(*devices: Device, generation: int = 1) -> ResourceSlice:
    pool = ResourcePool(name=PoolName("p"), generation=generation, resource_slice_count=1)
    return ResourceSlice(spec=ResourceSliceSpec(driver=DriverName("d"), pool=pool, devices=devices))


def a_device(name: str, *taints: DeviceTaint) -> Device:
    return Device(name=DeviceName(name), taints=taints)


def taint(key: str, since: str | None = None) -> DeviceTaint:
    return DeviceTaint(key=key, effect="NoSchedule", time_added=since)


def test_nothing_published_is_nothing_to_keep() -> None:
    assert silent((), NOON, NOON, MINUTE) is None


def test_the_time_that_is_left_counts_from_when_it_was_noticed() -> None:
    found = silent((a_slice(a_device("a")),), NOON, NOON + timedelta(seconds=20), MINUTE)
    assert found is not None
    assert found.left == timedelta(seconds=40)
    assert found.taint == taint(SILENT_TAINT, "2026-01-01T12:00:00Z")


def test_the_time_in_a_taint_counts_if_it_is_earlier() -> None:
    before = a_slice(a_device("a", taint(SILENT_TAINT, "2026-01-01T11:59:30Z")))
    found = silent((before,), NOON, NOON, MINUTE)
    assert found is not None
    assert found.left == timedelta(seconds=30)
    assert found.taint.time_added == "2026-01-01T11:59:30Z"


def test_our_own_taints_are_said_anew_and_those_of_the_device_stay() -> None:
    sick = taint("example.com/sick")
    before = a_slice(a_device("a", taint("slicewire.dev/managed"), sick, taint(SILENT_TAINT)))
    found = silent((before,), NOON, NOON, MINUTE)
    assert found is not None
    assert found.devices == (a_device("a", sick),)


def test_only_the_newest_generation_counts_and_a_device_once() -> None:
    slices = (
        a_slice(a_device("old")),
        a_slice(a_device("a"), generation=2),
        a_slice(a_device("a"), a_device("b"), generation=2),
    )
    found = silent(slices, NOON, NOON, MINUTE)
    assert found is not None
    assert [device.name for device in found.devices] == ["a", "b"]
