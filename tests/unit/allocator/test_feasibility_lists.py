"""Constraints over lists of values: an answer is found exactly when a look at all ways finds one.

A value alone is a list of one. `matchAttribute` wants something that all have in common,
`distinctAttribute` nothing that any two have in common; numbers, texts and versions are never equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from slicewire.allocator.core.features import DEFAULT
from slicewire.allocator.core.search import allocate
from slicewire.common.model import (
    Device,
    DeviceAttribute,
    DeviceConstraint,
    ResourceClaim,
    Unsatisfiable,
)
from tests.builders import DRIVER, NODE, a_claim, a_gpu, a_slice, a_snapshot, devices_of, exactly

LISTS = msgspec.structs.replace(DEFAULT, list_type_attributes=True)
ATTRIBUTE = f"{DRIVER}/links"
TYPES: Mapping[str, tuple[str, str, Mapping[str, int | str]]] = {
    "int": ("int_value", "ints", {"a": 1, "b": 2, "c": 3}),
    "string": ("string", "strings", {"a": "a", "b": "b", "c": "c"}),
    "version": ("version", "versions", {"a": "1.0.0", "b": "1.0.1", "c": "2.0.0"}),
}


class Links(NamedTuple):
    """What a device publishes: values of one type, as a list or, where there is but one, alone."""

    type: str
    values: tuple[str, ...]
    alone: bool


class Bound(NamedTuple):
    """A constraint over some of the requests, by their numbers; none means all."""

    distinct: bool
    requests: tuple[int, ...]


LINKS = st.builds(
    Links,
    st.sampled_from(["string", "string", "int", "version"]),
    st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(tuple),
    st.booleans(),
)
INVENTORY = st.lists(st.none() | LINKS, min_size=1, max_size=5)
COUNTS = st.lists(st.integers(1, 3), min_size=1, max_size=3)
BOUNDS = st.lists(
    st.builds(Bound, st.booleans(), st.lists(st.integers(0, 2), max_size=2, unique=True).map(tuple)),
    min_size=1,
    max_size=2,
)


def device_of(at: int, links: Links | None) -> Device:
    if links is None:
        return a_gpu(at)
    single, several, values = TYPES[links.type]
    written: object = tuple(values[each] for each in links.values)
    if links.alone:
        single, several, written = several, single, values[links.values[0]]
    return a_gpu(at, links=DeviceAttribute(**{several: written}))  # type: ignore[arg-type]  # of that type


def claim_of(counts: Sequence[int], bounds: Sequence[Bound]) -> ResourceClaim:
    claim = a_claim(**{f"r{at}": exactly(count) for at, count in enumerate(counts)})  # type: ignore[arg-type]
    constraints = tuple(
        DeviceConstraint(
            requests=tuple(f"r{at}" for at in bound.requests),
            **{"distinct_attribute" if bound.distinct else "match_attribute": ATTRIBUTE},
        )
        for bound in bounds
    )
    devices = msgspec.structs.replace(claim.spec.devices, constraints=constraints)
    return msgspec.structs.replace(claim, spec=msgspec.structs.replace(claim.spec, devices=devices))


def known(bounds: Sequence[Bound], counts: Sequence[int]) -> list[Bound]:
    """Without requests that the claim has not got."""
    kept = [
        bound._replace(requests=tuple(at for at in bound.requests if at < len(counts))) for bound in bounds
    ]
    return [each for before, each in zip(bounds, kept, strict=True) if each.requests or not before.requests]


def values_of(links: Links | None) -> set[tuple[str, str]]:
    if links is None:
        return set()
    return {(links.type, value) for value in (links.values[:1] if links.alone else links.values)}


def holds(bound: Bound, inventory: Sequence[Links | None], chosen: Sequence[Sequence[int]]) -> bool:
    covered = [
        values_of(inventory[at])
        for request, devices in enumerate(chosen)
        if not bound.requests or request in bound.requests
        for at in devices
    ]
    if not all(covered):
        return False
    if bound.distinct:
        return all(not one & other for one, other in combinations(covered, 2))
    return not covered or bool(set.intersection(*covered))


def ways(devices: frozenset[int], counts: Sequence[int]) -> Iterator[tuple[tuple[int, ...], ...]]:
    if not counts:
        yield ()
        return
    for chosen in combinations(sorted(devices), counts[0]):
        for rest in ways(devices - set(chosen), counts[1:]):
            yield (chosen, *rest)


@settings(max_examples=250)
@given(INVENTORY, COUNTS, BOUNDS)
def test_with_lists_an_answer_is_found_exactly_when_there_is_one_and_keeps_every_constraint(
    inventory: list[Links | None], counts: list[int], bounds: list[Bound]
) -> None:
    bounds = known(bounds, counts)
    snapshot = a_snapshot(a_slice([device_of(at, links) for at, links in enumerate(inventory)]))

    answer = allocate([claim_of(counts, bounds)], snapshot, NODE, LISTS)

    feasible = [
        chosen
        for chosen in ways(frozenset(range(len(inventory))), counts)
        if all(holds(bound, inventory, chosen) for bound in bounds)
    ]
    assert isinstance(answer, tuple | Unsatisfiable), answer
    assert isinstance(answer, tuple) is bool(feasible)
    if isinstance(answer, tuple):
        picked = [int(name.removeprefix("gpu-")) for name in devices_of(answer)]
        assert picked in [[at for devices in chosen for at in devices] for chosen in feasible]


@settings(max_examples=60)
@given(INVENTORY, st.integers(1, 3))
def test_without_the_feature_a_list_matches_nothing_not_even_itself(
    inventory: list[Links | None], count: int
) -> None:
    snapshot = a_snapshot(a_slice([device_of(at, links) for at, links in enumerate(inventory)]))

    answer = allocate([a_claim(count, match=ATTRIBUTE)], snapshot, NODE)

    alone = [values_of(links) for links in inventory if links is not None and links.alone]
    most = max((alone.count(each) for each in alone), default=0)
    is_one = count == 1 and any(links is not None for links in inventory)
    assert isinstance(answer, tuple) is (is_one or count <= most)
