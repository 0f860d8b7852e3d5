"""Nodes of a kind are looked over once, and what is told of a fleet is what its nodes tell one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from slicewire.allocator.core.features import DEFAULT
from slicewire.allocator.core.fleet import place
from slicewire.allocator.core.kinds import kinds
from slicewire.allocator.core.requests import Demand, read
from slicewire.allocator.core.search import allocate
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.common.model import (
    LISTED_DEVICES,
    DeviceID,
    DeviceTaint,
    NodeName,
    Quantity,
    ResourceClaim,
    ResourceSlice,
    Rule,
    Unsatisfiable,
)
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
)

SICK = DeviceTaint(key="sick", effect="NoSchedule")
ROOT = f"{DRIVER}/root"


def slices_of(model: str, node: str) -> tuple[ResourceSlice, ...]:
    if model == "partitioned":
        devices = [a_gpu(at, root="a", draws={"gpu": {"memory": "40Gi"}}) for at in range(3)]
        counters = a_slice(sets=[a_counter_set("gpu", memory="80Gi")], name="counters", node=node, of=2)
        return a_slice(devices, node=node, of=2), counters
    if model == "shared":
        return (a_slice([a_shared_gpu(at, root="a") for at in range(2)], node=node),)
    if model == "incomplete":
        return (a_slice([a_gpu(0)], node=node, of=2),)
    sick = (SICK,) if model == "sick" else ()
    return (a_slice([a_gpu(at, root="ab"[at % 2], model=model, taints=sick) for at in range(3)], node=node),)


class Node(NamedTuple):
    model: str
    held: frozenset[int]
    by: str
    """Who holds these."""


NODES = st.lists(
    st.builds(
        Node,
        st.sampled_from(["plain", "plain", "old", "sick", "partitioned", "shared", "incomplete"]),
        st.frozensets(st.integers(0, 1), max_size=2),
        st.sampled_from("xyz"),
    ),
    min_size=1,
    max_size=5,
)
MODEL = f'"model" in device.attributes["{DRIVER}"] && device.attributes["{DRIVER}"].model == "plain"'
CLAIMS = st.sampled_from(
    [
        a_claim(9),
        a_claim(9, MODEL),
        a_claim(3, match=ROOT),
        a_claim(a=exactly(1), b=exactly(3)),
        a_claim(gpus=exactly(3, capacity={"memory": "60Gi"})),
        a_claim(9, f'device.attributes["{DRIVER}"].index < 9'),
    ]
)


def snapshot_of(nodes: list[Node]) -> Snapshot:
    named = {f"node-{at}": node for at, node in enumerate(nodes)}
    published = {name: slices_of(node.model, name) for name, node in named.items()}
    snapshot = a_snapshot(*(each for slices in published.values() for each in slices))
    for name, node in named.items():
        share: dict[str, Any] = (
            {"share_id": "s", "consumed_capacity": {"memory": Quantity("30Gi")}}
            if node.model == "shared"
            else {}
        )
        names = [f"gpu-{at}" for at in sorted(node.held)]
        if names:
            held = a_holding(f"{node.by}-{name}", published[name][0], *names, **share)
            snapshot = snapshot.with_holdings(NodeName(name), DRIVER, (held,))
    return snapshot


Told = Mapping[tuple[str, Rule], tuple[int, list[DeviceID]]]
"""By request and rule, how many devices and which."""


def told(*answers: Unsatisfiable) -> Told:
    found: dict[tuple[str, Rule], tuple[int, list[DeviceID]]] = {}
    for answer in answers:
        for refusal in answer.refusals:
            count, devices = found.get((refusal.request, refusal.rule), (0, []))
            found[refusal.request, refusal.rule] = (count + refusal.count, [*devices, *refusal.devices])
    return {key: (count, sorted(devices)) for key, (count, devices) in found.items()}


def words(*answers: Unsatisfiable) -> set[tuple[Rule, str]]:
    return {(refusal.rule, refusal.message) for answer in answers for refusal in answer.refusals}


@settings(max_examples=60)
@given(NODES, CLAIMS)
def test_a_fleet_is_explained_as_its_nodes_are_one_by_one(nodes: list[Node], claim: ResourceClaim) -> None:
    snapshot = snapshot_of(nodes)
    alone = [allocate([claim], snapshot, node) for node in snapshot.nodes]
    if not all(isinstance(each, Unsatisfiable) for each in alone):
        return
    refused = [each for each in alone if isinstance(each, Unsatisfiable)]

    answer = place([claim], snapshot, snapshot.nodes)

    assert isinstance(answer, Unsatisfiable)
    assert words(answer) == words(*refused)
    assert all(len(each.devices) == min(each.count, LISTED_DEVICES) for each in answer.refusals)
    assert told(answer) == told(*refused)


def kinds_of(nodes: list[Node], claim: ResourceClaim) -> list[tuple[NodeName, ...]]:
    snapshot = snapshot_of(nodes)
    demand = read([claim], snapshot.classes, DEFAULT)
    assert isinstance(demand, Demand)
    return [kind.nodes for kind in kinds(demand, snapshot, snapshot.nodes, DEFAULT)]


def a_node(model: str = "plain", *held: int, by: str = "x") -> Node:
    return Node(model, frozenset(held), by)


def test_nodes_are_alike_whoever_holds_the_same_devices_of_them() -> None:
    nodes = [a_node("plain", 0, by="x"), a_node("plain", 0, by="y"), a_node("plain", 1), a_node("old", 0)]
    assert kinds_of(nodes, a_claim(9)) == [("node-0", "node-1"), ("node-2",), ("node-3",)]


def test_what_is_left_of_counters_and_of_shares_tells_nodes_apart() -> None:
    for model in ("partitioned", "shared"):
        nodes = [a_node(model), a_node(model, 0), a_node(model, 0), a_node(model, 0, 1)]
        assert kinds_of(nodes, a_claim(9)) == [("node-0",), ("node-1", "node-2"), ("node-3",)]


def test_where_a_name_might_make_a_difference_each_node_is_a_kind_of_its_own() -> None:
    each = [("node-0",), ("node-1",)]
    assert kinds_of([a_node("incomplete"), a_node("incomplete")], a_claim(9)) == each
    plain = [a_node(), a_node()]
    by_uuid = f'device.attributes["{DRIVER}"].?uuid.orValue("") == "GPU-1"'
    assert kinds_of(plain, a_claim(1, by_uuid)) == each
    assert kinds_of(plain, a_claim(2, distinct=f"{DRIVER}/uuid")) == each
    assert kinds_of(plain, a_claim(1, f'device.attributes["{DRIVER}"].missing == 1')) == each
    assert kinds_of(plain, a_claim(9)) == [("node-0", "node-1")]
