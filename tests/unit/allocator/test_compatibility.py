"""Devices of one counter set are given together only if they have a compatibility group in common."""

from __future__ import annotations

import msgspec
import pytest

from slicewire.allocator.core.features import DEFAULT, Features
from slicewire.allocator.core.search import allocate
from slicewire.common.model import Device, DeviceName, Unsatisfiable
from tests.builders import NODE, a_claim, a_counter_set, a_gpu, a_slice, a_snapshot, devices_of, exactly

ON = msgspec.structs.replace(DEFAULT, device_compatibility_groups=True)


def partition(name: str, *groups: str, counter_set: str = "gpu-0") -> Device:
    device = a_gpu(name=name, draws={counter_set: {"memory": "10Gi"}})
    (consumption,) = device.consumes_counters
    consumption = msgspec.structs.replace(consumption, compatibility_groups=groups)
    return msgspec.structs.replace(device, name=DeviceName(name), consumes_counters=(consumption,))


def given(count: int, *devices: Device, used: str = "", features: Features = ON) -> list[str]:
    sets = [a_counter_set(name, memory="80Gi") for name in ("gpu-0", "gpu-1")]
    published = a_slice(devices, of=2)
    snapshot = a_snapshot(
        published, a_slice(sets=sets, name="counters", of=2), used={"earlier": [used]} if used else None
    )
    answer = allocate([a_claim(gpus=exactly(count))], snapshot, NODE, features)
    assert isinstance(answer, tuple | Unsatisfiable)
    return devices_of(answer) if isinstance(answer, tuple) else []


def test_devices_with_a_group_in_common_are_given_together() -> None:
    assert given(2, partition("a", "x", "y"), partition("b", "y", "z")) == ["a", "b"]


def test_the_common_group_must_be_one_of_all() -> None:
    devices = partition("a", "x", "y"), partition("b", "y", "z"), partition("c", "x", "z")
    assert given(3, *devices) == []
    assert given(2, *devices) == ["a", "b"]


def test_a_device_without_groups_goes_only_with_others_without() -> None:
    assert given(2, partition("a"), partition("b", "x"), partition("c")) == ["a", "c"]
    assert given(2, partition("a"), partition("b", "x")) == []


def test_what_other_claims_hold_counts() -> None:
    assert given(1, partition("a", "x"), partition("b", "y"), partition("c", "x"), used="a") == ["c"]


def test_another_counter_set_is_another_matter() -> None:
    assert given(2, partition("a", "x"), partition("b", "y", counter_set="gpu-1")) == ["a", "b"]


def test_turning_back_forgets_what_was_picked() -> None:
    assert given(2, partition("a", "x"), partition("b", "y"), partition("c", "y")) == ["b", "c"]


@pytest.mark.parametrize("features", [DEFAULT])
def test_with_the_feature_off_groups_mean_nothing(features: Features) -> None:
    assert given(2, partition("a", "x"), partition("b", "y"), features=features) == ["a", "b"]
