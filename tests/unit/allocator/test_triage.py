"""Nodes that cannot serve a claim are passed over in one look, and nothing else is."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from slicewire.allocator.core.attempt import Question
from slicewire.allocator.core.faults import Fault
from slicewire.allocator.core.features import DEFAULT
from slicewire.allocator.core.fleet import Placement, place
from slicewire.allocator.core.refused import shape_of
from slicewire.allocator.core.requests import Demand, read
from slicewire.allocator.core.search import attempt
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.allocator.core.solver import Allowance
from slicewire.allocator.core.triage import worth_asking
from slicewire.common.model import NodeName, ResourceClaim
from tests.builders import (
    DRIVER,
    a_claim,
    a_counter_set,
    a_gpu,
    a_holding,
    a_slice,
    a_snapshot,
    everything,
    exactly,
)

NODES = tuple(NodeName(f"n{number}") for number in range(5))


class World(NamedTuple):
    """`kinds` of the devices of each node; `steps`: what is given away on which node, and who asks then."""

    kinds: list[str]
    steps: list[tuple[int, frozenset[int], int]]


CLAIMS = (
    a_claim(1),
    a_claim(2),
    a_claim(1, f'device.attributes["{DRIVER}"].kind == "a"'),
    a_claim(2, f'device.attributes["{DRIVER}"].kind == "b"'),
    a_claim(1, f'device.attributes["{DRIVER}"].uuid == "n3-1"'),
    a_claim(one=exactly(1), two=exactly(2, f'device.attributes["{DRIVER}"].kind != "a"')),
    a_claim(all=everything()),
    a_claim(look=exactly(1, admin=True)),
)
WORLD = st.builds(
    World,
    st.lists(st.sampled_from(["aa", "ab", "ab", "a ", "bbb"]), min_size=5, max_size=5),
    st.lists(
        st.tuples(st.integers(0, 4), st.frozensets(st.integers(0, 2)), st.integers(0, len(CLAIMS) - 1)),
        min_size=1,
        max_size=8,
    ),
)


def told(kinds: list[str]) -> Snapshot:
    """All devices of a node draw from one budget, which is short by one device."""
    slices = []
    for node, of_node in zip(NODES, kinds, strict=True):
        devices = [
            a_gpu(
                at,
                uuid=f"{node}-{at}",
                draws={"set": {"slices": "1"}},
                **({"kind": kind} if kind.strip() else {}),  # type: ignore[arg-type]  # attributes by name
            )
            for at, kind in enumerate(of_node)
        ]
        budget = a_counter_set("set", slices=str(max(len(of_node) - 1, 1)))
        slices.append(a_slice(devices, node=node, sets=[budget]))
    return a_snapshot(*slices)


def holding(snapshot: Snapshot, at: int, devices: frozenset[int]) -> Snapshot:
    (slice_,) = snapshot.slices(NODES[at], DRIVER)
    names = [device.name for place, device in enumerate(slice_.spec.devices) if place in devices]
    held = (a_holding("earlier", slice_, *names),) if names else ()
    return snapshot.with_holdings(NODES[at], DRIVER, held)


def one_by_one(claim: ResourceClaim, snapshot: Snapshot) -> object:
    """Every node is asked."""
    demand = read([claim], snapshot.classes, DEFAULT)
    assert isinstance(demand, Demand)
    for node in NODES:
        match attempt(Question.of(demand, snapshot, node, DEFAULT), Allowance()):
            case None | Fault(node_only=True):
                continue
            case Fault(message):
                return message
            case results:
                return node, results
    return None


def placed(claim: ResourceClaim, snapshot: Snapshot) -> object:
    match place([claim], snapshot, NODES):
        case Placement(node, results):
            return node, results
        case unsatisfiable:
            return unsatisfiable.message if "CEL runtime error" in unsatisfiable.message else None


@settings(max_examples=50)
@given(WORLD)
def test_a_fleet_answers_as_if_every_node_had_been_asked(world: World) -> None:
    snapshot = told(world.kinds)
    for at, devices, number in world.steps:
        snapshot = holding(snapshot, at, devices)
        assert placed(CLAIMS[number], snapshot) == one_by_one(CLAIMS[number], snapshot)


def asked(claim: ResourceClaim, snapshot: Snapshot) -> list[int]:
    demand = read([claim], snapshot.classes, DEFAULT)
    assert isinstance(demand, Demand)
    bits = worth_asking(demand, shape_of([claim], DEFAULT), snapshot, NODES)
    return [at for at in range(len(NODES)) if bits >> at & 1]


def test_a_node_without_enough_devices_is_not_asked() -> None:
    snapshot = holding(told(["bbb"] * 5), 1, frozenset((0, 1)))
    assert asked(a_claim(1), snapshot) == [0, 2, 3, 4]
    assert asked(CLAIMS[2], snapshot) == []


def test_a_node_is_asked_again_once_it_has_changed() -> None:
    snapshot = holding(told(["bbb"] * 5), 1, frozenset((0, 1)))
    asked(a_claim(1), snapshot)
    assert asked(a_claim(1), holding(snapshot, 1, frozenset())) == [0, 1, 2, 3, 4]
    assert asked(a_claim(1), snapshot) == [0, 2, 3, 4]


def test_where_a_selector_has_no_answer_the_node_is_asked() -> None:
    assert asked(CLAIMS[2], told(["a ", "bbb", "bbb", "bbb", "bbb"])) == [0]


def test_what_looks_at_an_identifier_is_asked_of_every_node_that_has_anything() -> None:
    snapshot = holding(told(["ab"] * 5), 0, frozenset((0, 1)))
    assert asked(CLAIMS[4], snapshot) == [1, 2, 3, 4]


def test_nodes_that_differ_only_in_identifiers_share_a_layout() -> None:
    snapshot = told(["ab", "ab", "aa", "bbb", "ab"])
    layouts = [snapshot.stock(node, DEFAULT).layout for node in NODES]
    assert layouts[0] is layouts[1] is layouts[4]
    assert len(set(map(id, layouts))) == 3
