"""Consumable capacity: rounding, policies, and what is left."""

from __future__ import annotations

from fractions import Fraction

import pytest

from slicewire.allocator.core.capacity import (
    AgainstPolicy,
    CapacityShort,
    NoSuchCapacity,
    consumption,
    shortage,
)
from slicewire.common.model import (
    CapacityRequestPolicy,
    CapacityRequestPolicyRange,
    Device,
    DeviceCapacity,
    DeviceName,
    Quantity,
)


def steps(low: str, high: str | None = None, step: str | None = None) -> CapacityRequestPolicy:
    valid = CapacityRequestPolicyRange(
        min=Quantity(low), max=Quantity(high) if high else None, step=Quantity(step) if step else None
    )
    return CapacityRequestPolicy(default=Quantity(low), valid_range=valid)


def values(*allowed: str) -> CapacityRequestPolicy:
    return CapacityRequestPolicy(
        default=Quantity(allowed[0]), valid_values=tuple(Quantity(value) for value in allowed)
    )


def a_device(policy: CapacityRequestPolicy | None = None, value: str = "10Gi") -> Device:
    capacity = DeviceCapacity(value=Quantity(value), request_policy=policy)
    return Device(name=DeviceName("gpu-0"), capacity={"memory": capacity})


def consumed(requested: str | None, policy: CapacityRequestPolicy | None, value: str = "10Gi") -> object:
    asked = {} if requested is None else {"memory": Quantity(requested)}
    match consumption(asked, a_device(policy, value)):
        case AgainstPolicy() as refused:
            return refused
        case NoSuchCapacity() as refused:
            return refused
        case amounts:
            return amounts["memory"]


def amount(text: str) -> int | Fraction:
    return Quantity(text).value


@pytest.mark.parametrize(
    ("requested", "policy", "expected"),
    [
        (None, None, "10Gi"),
        ("3Gi", None, "3Gi"),
        (None, steps("1Gi"), "1Gi"),
        ("2Gi", CapacityRequestPolicy(default=Quantity("1Gi")), "2Gi"),
        ("1", steps("1Gi"), "1Gi"),
        ("3", steps("2", "10"), "3"),
        ("3", steps("2", "10", "2"), "4"),
        ("4", steps("2", "10", "2"), "4"),
        ("4500m", steps("2", "10", "2"), "6"),
        ("300m", steps("100m", "1", "250m"), "350m"),
        ("3", steps("2", step="0"), "3"),
        ("3", values("2", "4", "8"), "4"),
        ("8", values("2", "4", "8"), "8"),
        (None, values("2", "4"), "2"),
    ],
)
def test_a_request_is_rounded_up_to_what_the_device_gives_out(
    requested: str | None, policy: CapacityRequestPolicy | None, expected: str
) -> None:
    assert consumed(requested, policy) == amount(expected)


@pytest.mark.parametrize(
    ("requested", "policy"),
    [("11", steps("2", "10", "2")), ("9", values("2", "4", "8")), ("5", steps("1", "4"))],
)
def test_more_than_the_policy_allows_is_refused(requested: str, policy: CapacityRequestPolicy) -> None:
    assert isinstance(consumed(requested, policy), AgainstPolicy)


def test_a_capacity_that_the_device_lacks_is_named() -> None:
    assert consumption({"cores": Quantity(1)}, a_device()) == NoSuchCapacity("cores")


def test_zero_may_be_asked_for() -> None:
    assert consumed(None, steps("0")) == 0
    assert consumed("0", None) == 0


def test_what_others_have_is_not_left() -> None:
    device = a_device(value="10")

    assert shortage({"memory": 4}, device, {"memory": 3}, {"memory": 3}) is None
    assert shortage({"memory": 5}, device, {"memory": 3}, {"memory": 3}) == CapacityShort("memory", 5, 4)


def test_words_name_the_capacity_and_the_amount() -> None:
    short = CapacityShort("memory", amount("8Gi"), amount("6Gi"))

    assert str(short) == "capacity memory is short by 2Gi"
    assert str(AgainstPolicy("memory", Fraction(1, 2))) == "does not give out 500m of capacity memory"
