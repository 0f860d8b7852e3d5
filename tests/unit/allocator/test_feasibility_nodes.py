"""Three nodes and pools for one, some or all of them: each node is given what is in its reach, and no more.

Claim after claim is placed on the fleet. Before each, every node is asked by itself and compared with a
look at all ways; the fleet says yes exactly when some node does. What is taken on one node is taken from
every node that can reach it, and draws on the pool's budget wherever the device is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from slicewire.allocator.core.fleet import Placement, place
from slicewire.allocator.core.nodes import NodeView
from slicewire.allocator.core.search import allocate
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.common.model import (
    AllocationResult,
    Device,
    NodeName,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    ResourceSlice,
    Unsatisfiable,
)
from tests.builders import DRIVER, a_claim, a_counter_set, a_gpu, a_slice, a_snapshot, held_by

ZONES = {"node-a": "east", "node-b": "east", "node-c": "west"}
NODES = [NodeName(node) for node in ZONES]
REACHES = {
    "node-a": {"node-a"},
    "node-b": {"node-b"},
    "node-c": {"node-c"},
    "zone=east": {"node-a", "node-b"},
    "zone=west": {"node-c"},
    "not node-a": {"node-b", "node-c"},
    "all": set(ZONES),
}
"""Every way to say which nodes, and the nodes that are meant."""


class Pool(NamedTuple):
    """For nodes as a whole, or with `reach` "" for those that each device names. A budget of 0 is none."""

    reach: str
    devices: tuple[tuple[str, int], ...]
    """For each device where it is, if devices say so, and what it draws from the budget."""
    budget: int


POOLS = st.lists(
    st.builds(
        Pool,
        st.sampled_from(["", *REACHES]),
        st.lists(st.tuples(st.sampled_from([*REACHES]), st.integers(1, 2)), min_size=1, max_size=3).map(
            tuple
        ),
        st.integers(0, 4),
    ),
    min_size=1,
    max_size=3,
)


def selector_of(reach: str) -> NodeSelector:
    if reach.startswith("zone="):
        zone = NodeSelectorRequirement(key="zone", operator="In", values=(reach.removeprefix("zone="),))
        return NodeSelector(node_selector_terms=(NodeSelectorTerm(match_expressions=(zone,)),))
    name = NodeSelectorRequirement(
        key="metadata.name", operator="NotIn", values=(reach.removeprefix("not "),)
    )
    return NodeSelector(node_selector_terms=(NodeSelectorTerm(match_fields=(name,)),))


def reaching(reach: str) -> dict[str, Any]:
    """The fields of a slice, and of a device, that say which nodes."""
    if reach in ZONES:
        return {"node_name": NodeName(reach)}
    return {"all_nodes": True} if reach == "all" else {"node_selector": selector_of(reach)}


def devices_of(pool: Pool) -> list[Device]:
    made = []
    for at, (reach, size) in enumerate(pool.devices):
        device = a_gpu(at, draws={"budget": {"slices": str(size)}} if pool.budget else None)
        made.append(device if pool.reach else msgspec.structs.replace(device, **reaching(reach)))
    return made


def slices_of(name: str, pool: Pool) -> Sequence[ResourceSlice]:
    where = {key: value for key, value in reaching(pool.reach or "all").items() if key != "node_name"}
    node = pool.reach if pool.reach in ZONES else None
    devices = a_slice(
        devices_of(pool),
        name="devices",
        pool=name,
        node=node,
        of=1 + bool(pool.budget),
        **(where if pool.reach else {"per_device_node_selection": True}),
    )
    if not pool.budget:
        return (devices,)
    budget = [a_counter_set("budget", slices=str(pool.budget))]
    return (devices, a_slice(sets=budget, name="counters", pool=name, node=node, of=2, **where))


def snapshot_of(pools: Mapping[str, Pool]) -> Snapshot:
    snapshot = a_snapshot(*(each for name, pool in pools.items() for each in slices_of(name, pool)))
    for node, zone in ZONES.items():
        snapshot = snapshot.with_node(NodeView(NodeName(node), {"zone": zone}))
    return snapshot


Taken = frozenset[tuple[str, int]]
"""Devices by the name of their pool and their number."""


def in_reach(pools: Mapping[str, Pool], node: str) -> list[tuple[str, int]]:
    return [
        (name, at)
        for name, pool in pools.items()
        for at, (reach, _) in enumerate(pool.devices)
        if node in REACHES[pool.reach or reach]
    ]


def is_within_budgets(pools: Mapping[str, Pool], taken: Taken) -> bool:
    return all(
        not pool.budget or sum(pool.devices[at][1] for of, at in taken if of == name) <= pool.budget
        for name, pool in pools.items()
    )


def is_feasible(pools: Mapping[str, Pool], node: str, taken: Taken, count: int) -> bool:
    free = [each for each in in_reach(pools, node) if each not in taken]
    return any(is_within_budgets(pools, taken | set(chosen)) for chosen in combinations(free, count))


def reachable_from(result: AllocationResult) -> set[str]:
    """The nodes on which Kubernetes may start a pod with this allocation."""
    if result.node_selector is None:
        return set(ZONES)
    (term,) = result.node_selector.node_selector_terms
    assert term.match_fields or term.match_expressions
    return {
        node
        for node, zone in ZONES.items()
        if all(zone in each.values for each in term.match_expressions)
        and all((node in each.values) is (each.operator == "In") for each in term.match_fields)
    }


def nodes_with_all(pools: Mapping[str, Pool], chosen: Taken) -> set[str]:
    return {node for node in ZONES if chosen <= set(in_reach(pools, node))}


@settings(max_examples=150)
@given(POOLS, st.lists(st.integers(1, 3), min_size=1, max_size=3))
def test_a_fleet_says_yes_exactly_when_some_node_has_the_devices_in_reach(
    pools: list[Pool], counts: list[int]
) -> None:
    named = {f"pool-{at}": pool for at, pool in enumerate(pools)}
    snapshot, taken = snapshot_of(named), Taken()

    for at, count in enumerate(counts):
        claim = a_claim(count, name=f"claim-{at}")
        feasible = [node for node in NODES if is_feasible(named, node, taken, count)]
        for node in NODES:
            alone = allocate([claim], snapshot, node)
            assert isinstance(alone, tuple | Unsatisfiable), alone
            assert isinstance(alone, tuple) is (node in feasible)

        placement = place([claim], snapshot, NODES)

        assert isinstance(placement, Placement) is bool(feasible)
        if isinstance(placement, Placement):
            assert placement.node == feasible[0]
            (result,) = placement.results
            chosen = {(each.pool, int(each.device.removeprefix("gpu-"))) for each in result.devices.results}
            assert len(chosen) == count
            assert not chosen & taken
            taken = taken | chosen
            assert is_within_budgets(named, taken)
            assert placement.node in reachable_from(result) <= nodes_with_all(named, frozenset(chosen))
            before = snapshot.holdings(placement.node, DRIVER)
            held = (*before, held_by(claim, result))
            snapshot = snapshot.with_holdings(placement.node, DRIVER, held)
