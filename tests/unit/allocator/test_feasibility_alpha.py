"""Derived attributes and compatibility groups (alpha in Kubernetes 1.37), against a look at all ways."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from slicewire.allocator.core.features import DEFAULT
from slicewire.allocator.core.search import allocate
from slicewire.common.model import (
    Counter,
    DerivedAttribute,
    Device,
    DeviceCounterConsumption,
    ExactDeviceRequest,
    Quantity,
    Unsatisfiable,
)
from tests.builders import (
    DRIVER,
    NODE,
    a_claim,
    a_counter_set,
    a_gpu,
    a_slice,
    a_snapshot,
    devices_of,
    exactly,
)

DERIVING = msgspec.structs.replace(DEFAULT, derived_attributes=True, list_type_attributes=True)
GROUPING = msgspec.structs.replace(DEFAULT, device_compatibility_groups=True)
ISLAND = f"{DRIVER}/island"
SLOT = f'device.attributes["{DRIVER}"].slot'


def ways(devices: frozenset[int], counts: Sequence[int]) -> Iterator[tuple[tuple[int, ...], ...]]:
    if not counts:
        yield ()
        return
    for chosen in combinations(sorted(devices), counts[0]):
        for rest in ways(devices - set(chosen), counts[1:]):
            yield (chosen, *rest)


class Placed(NamedTuple):
    """A slot such as `a1`, and an island that the driver publishes, if any."""

    row: str
    column: str
    island: str


EXPRESSIONS = {
    "": "",
    "row": f"{SLOT}.charAt(0)",
    "column": f"{SLOT}.charAt(1)",
    "both": f"[{SLOT}.charAt(0), {SLOT}.charAt(1)]",
    "number": f"int({SLOT}.charAt(1))",
}
PLACED = st.builds(Placed, st.sampled_from("ab"), st.sampled_from("12"), st.sampled_from(["", "a", "1"]))
REQUESTS = st.lists(st.tuples(st.integers(1, 2), st.sampled_from([*EXPRESSIONS])), min_size=1, max_size=3)


def derived(placed: Placed, by: str) -> set[object]:
    match by:
        case "row":
            return {placed.row}
        case "column":
            return {placed.column}
        case "both":
            return {placed.row, placed.column}
        case "number":
            return {int(placed.column)}
    return {placed.island} if placed.island else set()


def request_of(count: int, by: str) -> ExactDeviceRequest:
    attributes = (DerivedAttribute(name=ISLAND, expression=EXPRESSIONS[by]),) if by else ()
    return msgspec.structs.replace(exactly(count), derived_attributes=attributes)


@settings(max_examples=150)
@given(st.lists(PLACED, min_size=1, max_size=5), REQUESTS, st.booleans())
def test_with_derived_attributes_an_answer_is_found_exactly_when_there_is_one(
    inventory: list[Placed], requests: list[tuple[int, str]], distinct: bool
) -> None:
    devices = [
        a_gpu(at, **({"island": placed.island} if placed.island else {}), slot=placed.row + placed.column)  # type: ignore[arg-type]  # attributes
        for at, placed in enumerate(inventory)
    ]
    asked = {f"r{at}": request_of(*request) for at, request in enumerate(requests)}
    claim = a_claim(**({"distinct": ISLAND} if distinct else {"match": ISLAND}), **asked)  # type: ignore[arg-type]

    answer = allocate([claim], a_snapshot(a_slice(devices)), NODE, DERIVING)

    def holds(chosen: Sequence[Sequence[int]]) -> bool:
        found = [
            derived(inventory[at], by) for (_, by), of in zip(requests, chosen, strict=True) for at in of
        ]
        if distinct:
            return all(found) and all(not one & other for one, other in combinations(found, 2))
        return bool(set.intersection(*found))

    every_way = ways(frozenset(range(len(inventory))), [count for count, _ in requests])
    assert isinstance(answer, tuple | Unsatisfiable), answer
    assert isinstance(answer, tuple) is any(map(holds, every_way))


class Partition(NamedTuple):
    """For each counter set that it draws from, the groups that it belongs to there."""

    first: frozenset[str] | None
    second: frozenset[str] | None
    held: bool


GROUPS = st.none() | st.frozensets(st.sampled_from("xyz"), max_size=2)
PARTITIONS = st.lists(st.builds(Partition, GROUPS, GROUPS, st.booleans()), min_size=1, max_size=5)
SETS = ("first", "second")


def partition_of(at: int, partition: Partition) -> Device:
    drawn = tuple(
        DeviceCounterConsumption(
            counter_set=name,
            counters={"slices": Counter(value=Quantity(1))},
            compatibility_groups=tuple(groups),
        )
        for name in SETS
        if (groups := getattr(partition, name)) is not None
    )
    return msgspec.structs.replace(a_gpu(at), consumes_counters=drawn)


def goes_with(chosen: Sequence[Partition], held: Sequence[Partition]) -> bool:
    """In each counter set that the chosen draw from either nobody has groups, or all have one in common."""
    for name in SETS:
        mine, others = (
            [groups for each in some if (groups := getattr(each, name)) is not None]
            for some in (chosen, held)
        )
        if mine and any((*mine, *others)) and not frozenset.intersection(*mine, *others):
            return False
    return True


@settings(max_examples=150)
@given(PARTITIONS, st.lists(st.integers(1, 2), min_size=1, max_size=2))
def test_with_compatibility_groups_an_answer_is_found_exactly_when_there_is_one(
    partitions: list[Partition], counts: list[int]
) -> None:
    devices = a_slice((partition_of(at, each) for at, each in enumerate(partitions)), of=2)
    budget = a_slice(sets=[a_counter_set(name, slices="9") for name in SETS], name="counters", of=2)
    names = [f"gpu-{at}" for at, each in enumerate(partitions) if each.held]
    snapshot = a_snapshot(devices, budget, used={"earlier": names} if names else None)
    claims = [a_claim(count, name=f"claim-{at}") for at, count in enumerate(counts)]

    answer = allocate(claims, snapshot, NODE, GROUPING)

    held = [each for each in partitions if each.held]
    free = frozenset(at for at, each in enumerate(partitions) if not each.held)
    every_way = [[at for devices in chosen for at in devices] for chosen in ways(free, counts)]
    feasible = [way for way in every_way if goes_with([partitions[at] for at in way], held)]
    assert isinstance(answer, tuple | Unsatisfiable), answer
    assert isinstance(answer, tuple) is bool(feasible)
    if isinstance(answer, tuple):
        assert [int(name.removeprefix("gpu-")) for name in devices_of(answer)] in feasible
