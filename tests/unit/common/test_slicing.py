"""A pool cut into slices so that what happens to one GPU changes one slice."""

from __future__ import annotations

import msgspec
import pytest

from slicewire.common.model import (
    CounterSet,
    Device,
    DeviceAttribute,
    DeviceCounterConsumption,
    DeviceName,
    DeviceTaint,
)
from slicewire.common.model.slicing import SliceContent, cut_into_slices

SICK = DeviceTaint(key="sick", effect="NoSchedule")


def _gpu(gpu: int, devices: int, *, counters: bool = False) -> tuple[Device, ...]:
    """The devices of one GPU."""
    place = DeviceAttribute(string=f"0000:{gpu:02x}:00.0")
    taken = (DeviceCounterConsumption(counter_set=f"gpu-{gpu}-counter-set"),) if counters else ()
    return tuple(
        Device(
            name=DeviceName(f"gpu-{gpu}-{number}"),
            attributes={"resource.kubernetes.io/pciBusID": place},
            consumes_counters=taken,
        )
        for number in range(devices)
    )


def _sets(number: int) -> tuple[CounterSet, ...]:
    return tuple(CounterSet(name=f"gpu-{gpu}-counter-set") for gpu in range(number))


def _sizes(slices: tuple[SliceContent, ...]) -> list[tuple[int, int]]:
    return [(len(one.shared_counters), len(one.devices)) for one in slices]


def test_a_pool_with_counters_has_a_slice_for_each_gpu_behind_them() -> None:
    devices = (*_gpu(0, 26, counters=True), *_gpu(1, 1), *_gpu(2, 26, counters=True))
    assert _sizes(cut_into_slices(devices, _sets(2))) == [(2, 0), (0, 26), (0, 1), (0, 26)]


def test_a_gpu_with_more_devices_than_a_slice_takes_has_several() -> None:
    assert _sizes(cut_into_slices(_gpu(0, 70, counters=True), _sets(1))) == [(1, 0), (0, 64), (0, 6)]


def test_a_pool_without_counters_is_one_slice_while_it_fits() -> None:
    devices = tuple(device for gpu in range(8) for device in _gpu(gpu, 7))
    assert _sizes(cut_into_slices(devices, ())) == [(0, 56)]


def test_partitions_that_do_not_fit_into_one_slice_have_one_for_each_gpu() -> None:
    devices = tuple(device for gpu in range(16) for device in _gpu(gpu, 7))
    assert _sizes(cut_into_slices(devices, ())) == [(0, 7)] * 16


@pytest.mark.parametrize("counters", [True, False])
def test_a_taint_on_one_gpu_changes_its_slice_alone(counters: bool) -> None:
    devices = [device for gpu in range(16) for device in _gpu(gpu, 7, counters=counters)]
    sets = _sets(16) if counters else ()
    before = cut_into_slices(devices, sets)
    tainted = [
        msgspec.structs.replace(device, taints=(SICK,)) if device.name.startswith("gpu-3-") else device
        for device in devices
    ]
    after = cut_into_slices(tainted, sets)
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert len(changed) == 1
    assert {device.name[:6] for device in changed[0][1].devices} == {"gpu-3-"}


def test_devices_of_no_place_are_cut_by_the_limits_alone() -> None:
    plain = tuple(Device(name=DeviceName(f"nic-{number}")) for number in range(130))
    assert _sizes(cut_into_slices(plain, ())) == [(0, 128), (0, 2)]
    assert _sizes(cut_into_slices(plain, _sets(1))) == [(1, 0), (0, 64), (0, 64), (0, 2)]


def test_devices_stay_in_their_order_and_none_is_lost() -> None:
    devices = (*_gpu(2, 3, counters=True), *_gpu(1, 3, counters=True))
    cut = cut_into_slices(devices, _sets(3))
    assert tuple(device for one in cut for device in one.devices) == devices


def test_an_empty_pool_is_one_empty_slice() -> None:
    assert cut_into_slices((), ()) == (SliceContent(),)
