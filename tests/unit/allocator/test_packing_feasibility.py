"""A policy chooses among answers, and never loses one; the same snapshot always gives the same answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from slicewire.allocator.core.attempt import Question
from slicewire.allocator.core.features import DEFAULT
from slicewire.allocator.core.fleet import Placement, place
from slicewire.allocator.core.requests import Demand, read
from slicewire.allocator.core.search import attempt
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.allocator.core.solver import Allowance
from slicewire.common.model import Device, NodeName, ResourceClaim
from slicewire.common.model.packing import Packing
from tests.builders import (
    DRIVER,
    a_claim,
    a_counter_set,
    a_gpu,
    a_holding,
    a_shared_gpu,
    a_slice,
    a_snapshot,
    exactly,
    first_of,
    held_by,
)

ROOT = "resource.kubernetes.io/pcieRoot"
NODES = (NodeName("node-a"), NodeName("node-b"))


class Made(NamedTuple):
    root: str
    memory: int
    draws: tuple[int, ...]
    shared: bool


class Asked(NamedTuple):
    number: int
    memory: int
    together: bool
    instead: int


MADE = st.builds(
    Made,
    st.sampled_from("ab"),
    st.integers(1, 3),
    st.lists(st.integers(0, 3), max_size=2, unique=True).map(tuple),
    st.booleans(),
)
ASKED = st.builds(Asked, st.integers(1, 3), st.integers(0, 3), st.booleans(), st.integers(0, 1))


def device_of(at: int, made: Made) -> Device:
    make = a_shared_gpu if made.shared else a_gpu
    draws = {"set": {f"slot{slot}": "1" for slot in made.draws}} if made.draws else None
    return make(at, memory=str(made.memory), draws=draws, **{ROOT: made.root})  # type: ignore[arg-type]


def claim_of(number: int, asked: Asked) -> ResourceClaim:
    wish = exactly(asked.number, capacity={"memory": str(asked.memory)} if asked.memory else None)
    request = first_of(best=wish, other=exactly(asked.instead)) if asked.instead else wish
    return a_claim(name=f"c{number}", match=ROOT if asked.together else None, gpus=request)


def a_fleet(nodes: Sequence[Sequence[Made]], held: Sequence[int]) -> Snapshot:
    sets = [a_counter_set("set", **{f"slot{slot}": "1" for slot in range(4)})]
    slices = [
        a_slice([device_of(at, made) for at, made in enumerate(devices)], node=node, sets=sets)
        for node, devices in zip(NODES, nodes, strict=True)
    ]
    snapshot = a_snapshot(*slices)
    for slice_, node, devices, number in zip(slices, NODES, nodes, held, strict=True):
        if number < len(devices) and not devices[number].shared:
            snapshot = snapshot.with_holdings(node, DRIVER, (a_holding("other", slice_, f"gpu-{number}"),))
    return snapshot


FLEETS = st.builds(
    a_fleet,
    st.tuples(st.lists(MADE, max_size=4), st.lists(MADE, max_size=4)),
    st.tuples(st.integers(0, 4), st.integers(0, 4)),
)
CLAIMS = st.lists(ASKED, min_size=1, max_size=2).map(
    lambda asked: [claim_of(number, each) for number, each in enumerate(asked)]
)


def answers_on(fleet: Snapshot, claims: Sequence[ResourceClaim], policy: Packing) -> list[bool]:
    """Whether each node has everything."""
    demand = read(claims, fleet.classes, DEFAULT)
    assert isinstance(demand, Demand)
    questions = (Question.of(demand, fleet, node, DEFAULT, policy) for node in NODES)
    return [isinstance(attempt(question, Allowance()), tuple) for question in questions]


@settings(max_examples=60, deadline=None)
@given(FLEETS, CLAIMS, st.sampled_from([Packing.PACK, Packing.SPREAD]))
def test_a_node_has_room_whatever_the_policy_or_has_none_whatever_the_policy(
    fleet: Snapshot, claims: list[ResourceClaim], policy: Packing
) -> None:
    usual = answers_on(fleet, claims, Packing.FIRST_FIT)

    assert answers_on(fleet, claims, policy) == usual
    assert isinstance(place(claims, fleet.with_packing(policy), NODES), Placement) is any(usual)


@settings(max_examples=25, deadline=None)
@given(FLEETS, CLAIMS, st.sampled_from(Packing))
def test_the_same_snapshot_gives_the_same_answer_whatever_was_asked_of_it_before(
    fleet: Snapshot, claims: list[ResourceClaim], policy: Packing
) -> None:
    fleet = fleet.with_packing(policy)
    answer = place(claims, fleet, NODES)
    if isinstance(answer, Placement):
        after = fleet
        for claim, result in zip(claims, answer.results, strict=True):
            held = (*after.holdings(answer.node, DRIVER), held_by(claim, result))
            after = after.with_holdings(answer.node, DRIVER, held)
        place(claims, after, NODES)
        fleet = after.with_holdings(answer.node, DRIVER, fleet.holdings(answer.node, DRIVER))

    assert place(claims, fleet, NODES) == answer
