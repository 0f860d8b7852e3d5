"""matchAttribute and distinctAttribute, one pick at a time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from slicewire.allocator.core.constraints import Constraint, constraint_of
from slicewire.allocator.core.stock import Candidate
from slicewire.common.model import Device, DeviceAttribute, DeviceConstraint, DeviceID, PoolID, RequestName
from tests.builders import DRIVER, a_gpu, a_slice, attributes

LINK = "gpu.nvidia.com/link"
GPUS = RequestName("gpus")


def a_candidate(value: int | bool | str | DeviceAttribute | None, name: str = "link") -> Candidate:
    device = Device(name=a_gpu().name, attributes={} if value is None else attributes({name: value}))
    published = a_slice([device]).spec
    pool = PoolID(DRIVER, published.pool.name)
    return Candidate(DeviceID(DRIVER, pool.pool, device.name), pool, device, published, False, True, {})


def match(*requests: str, lists: bool = False) -> Constraint:
    made = constraint_of(DeviceConstraint(requests=requests, match_attribute=LINK), lists)
    assert made is not None
    return made


def distinct(*requests: str, lists: bool = False) -> Constraint:
    made = constraint_of(DeviceConstraint(requests=requests, distinct_attribute=LINK), lists)
    assert made is not None
    return made


def strings(*values: str) -> DeviceAttribute:
    return DeviceAttribute(strings=values)


def added(constraint: Constraint, *values: int | bool | str | DeviceAttribute | None) -> list[bool]:
    return [constraint.add(GPUS, a_candidate(value)) for value in values]


def test_all_that_match_have_the_value_of_the_first() -> None:
    assert added(match(), "a", "a", "b", "a") == [True, True, False, True]


def test_none_that_are_distinct_have_a_value_that_was_there() -> None:
    assert added(distinct(), "a", "b", "a", "b", "c") == [True, True, False, False, True]


@pytest.mark.parametrize("make", [match, distinct])
def test_a_device_without_the_attribute_is_refused(make: Callable[[], Constraint]) -> None:
    assert added(make(), None) == [False]


def test_values_of_different_types_are_different() -> None:
    assert added(match(), 1, True, "1") == [True, False, False]
    assert added(distinct(), 1, True, "1") == [True, True, True]


def test_versions_are_compared_as_text() -> None:
    version = DeviceAttribute(version="1.0.0")

    assert added(match(), version, DeviceAttribute(version="1.0.0+build"), version) == [True, False, True]


def test_the_bare_name_counts_in_the_drivers_own_domain_and_the_full_one_everywhere() -> None:
    constraint = match()

    assert constraint.add(GPUS, a_candidate("a", name="link"))
    assert constraint.add(GPUS, a_candidate("a", name=LINK))
    assert not constraint.add(GPUS, a_candidate("a", name="other.com/link"))


@pytest.mark.parametrize(
    ("listed", "request_name", "is_covered"),
    [
        ((), "gpus", True),
        (("gpus",), "gpus", True),
        (("gpus",), "gpus/fast", True),
        (("gpus/fast",), "gpus/fast", True),
        (("gpus/fast",), "gpus/slow", False),
        (("nics",), "gpus", False),
    ],
)
def test_a_request_name_covers_its_alternatives(
    listed: tuple[str, ...], request_name: str, is_covered: bool
) -> None:
    constraint = match(*listed)
    constraint.add(RequestName(listed[0] if listed else "gpus"), a_candidate("a"))

    assert constraint.add(RequestName(request_name), a_candidate("b")) is not is_covered


def test_lists_match_in_what_all_have_in_common() -> None:
    constraint = match(lists=True)

    assert added(constraint, strings("a", "b", "c"), strings("b", "c"), "c", strings("b")) == [
        True,
        True,
        True,
        False,
    ]


def test_lists_are_distinct_when_no_two_overlap() -> None:
    assert added(distinct(lists=True), strings("a", "b"), "c", strings("c", "d"), strings("d")) == [
        True,
        True,
        False,
        True,
    ]


def test_without_the_feature_a_list_equals_nothing() -> None:
    assert added(match(), strings("a"), strings("a")) == [True, False]
    assert added(distinct(), strings("a"), strings("b")) == [True, False]


def test_an_attribute_of_a_future_type_is_refused_where_lists_are_known() -> None:
    assert added(match(lists=True), DeviceAttribute()) == [False]


@pytest.mark.parametrize("make", [match, distinct])
def test_undo_gives_back_exactly_what_add_took(make: Callable[[], Constraint]) -> None:
    constraint = make()
    added(constraint, "a")
    before = constraint.picked

    if constraint.add(GPUS, a_candidate("a" if make is match else "b")):
        constraint.undo(GPUS)

    assert constraint.picked == before


def test_a_constraint_of_an_unknown_kind_is_none() -> None:
    assert constraint_of(DeviceConstraint(), lists=False) is None
