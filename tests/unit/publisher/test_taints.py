"""When a taint began, and what counts as the same device."""

from __future__ import annotations

import pytest

from slicewire.common.model import Device, DeviceCapacity, DeviceName, DeviceTaint, Quantity
from slicewire.publisher.core.slices import desired_slices
from slicewire.publisher.core.taints import is_same_device, taint_times, with_times
from tests.unit.publisher.storing import a_pool

STORED = "2026-11-24T10:00:00Z"


def sick(time: str | None = None, value: str = "", effect: str = "NoExecute") -> Device:
    taint = DeviceTaint(key="sick", value=value, effect=effect, time_added=time)
    return Device(name=DeviceName("gpu-0"), taints=(taint,))


@pytest.mark.parametrize(
    "wanted",
    [None, STORED, "2026-11-24T10:00:01Z", "2026-11-24T09:59:59.5Z", "2026-11-24T11:00:00+01:00"],
)
def test_a_time_at_most_a_second_away_or_absent_is_the_stored_time(wanted: str | None) -> None:
    times = taint_times(desired_slices(a_pool((sick(STORED),))))
    assert is_same_device(sick(wanted), sick(STORED))
    assert with_times(sick(wanted), times) == sick(STORED)


@pytest.mark.parametrize(
    "wanted", ["2026-11-24T10:00:02Z", "2026-11-24T10:00:00", "yesterday", "2026-11-24T10:00:00+02:00"]
)
def test_another_time_or_one_that_cannot_be_read_is_a_difference(wanted: str) -> None:
    times = taint_times(desired_slices(a_pool((sick(STORED),))))
    assert not is_same_device(sick(wanted), sick(STORED))
    assert with_times(sick(wanted), times) == sick(wanted)


def test_a_time_that_the_store_lacks_is_no_difference_and_is_kept_for_the_next_write() -> None:
    assert is_same_device(sick(STORED), sick())
    assert with_times(sick(STORED), taint_times(desired_slices(a_pool((sick(),))))) == sick(STORED)


@pytest.mark.parametrize(
    "other", [sick(value="ecc"), sick(effect="NoSchedule"), Device(name=DeviceName("gpu-0"))]
)
def test_a_taint_of_another_value_or_effect_starts_anew(other: Device) -> None:
    times = taint_times(desired_slices(a_pool((sick(STORED),))))
    assert with_times(other, times) == other
    assert not is_same_device(other, sick(STORED))


def test_the_later_slice_has_the_last_word_on_a_time() -> None:
    later = "2026-11-24T12:00:00Z"
    told = (*desired_slices(a_pool((sick(STORED),))), *desired_slices(a_pool((sick(later),))))
    assert with_times(sick(), taint_times(told)) == sick(later)


def test_devices_are_compared_by_amount_and_not_by_notation() -> None:
    def with_memory(text: str) -> Device:
        return Device(name=DeviceName("gpu-0"), capacity={"memory": DeviceCapacity(value=Quantity(text))})

    assert is_same_device(with_memory("1024Mi"), with_memory("1Gi"))
    assert not is_same_device(with_memory("1024Mi"), with_memory("1G"))
