"""On which node: the first that has the devices, in the order that the policy says.

First fit asks nodes as the caller names them; packing/turns.py says how the other policies go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from slicewire.allocator.core.attempt import Question
from slicewire.allocator.core.faults import Fault
from slicewire.allocator.core.features import DEFAULT, Features
from slicewire.allocator.core.packing.policy import named_by_all, policy_on
from slicewire.allocator.core.packing.turns import in_turn
from slicewire.allocator.core.refusals import explain
from slicewire.allocator.core.refused import shape_of
from slicewire.allocator.core.requests import Demand, read
from slicewire.allocator.core.search import attempt
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.allocator.core.solver import Allowance
from slicewire.allocator.core.triage import worth_asking
from slicewire.common.model import AllocationResult, NodeName, ResourceClaim, Unsatisfiable

FLEET_STEP_LIMIT = 1_000_000
"""Steps on all nodes together. Once they are spent, the nodes that are left are given up unsearched."""


_UNSEARCHED = Fault("not searched: the other nodes took all the steps that one question may", node_only=True)


class Placement(msgspec.Struct, frozen=True):
    """All claims on one node; the results are in the order of the claims."""

    node: NodeName
    results: tuple[AllocationResult, ...]


def place(
    claims: Sequence[ResourceClaim],
    snapshot: Snapshot,
    nodes: Sequence[NodeName],
    features: Features = DEFAULT,
    steps: int = FLEET_STEP_LIMIT,
) -> Placement | Unsatisfiable:
    """A fault in the claim itself is fatal; one met on the way waits until what was met has changed.

    `steps` is how much searching the whole question may cost.
    """
    demand = read(claims, snapshot.classes, features)
    if isinstance(demand, Fault):
        return Unsatisfiable(message=demand.message, fatal=True)
    shape = shape_of(claims, features)
    tried: dict[NodeName, Fault | None] = {}
    asked = named_by_all(claims)
    turns = in_turn(snapshot, nodes, worth_asking(demand, shape, snapshot, nodes), asked)
    questions = ((node, _question(demand, snapshot, node, features)) for node in turns)
    answer = _asked(questions, Allowance(steps), tried)
    snapshot.refused.note(shape, (node for node, fault in tried.items() if fault is None))
    return answer or explain(demand, snapshot, features, {node: tried.get(node) for node in nodes})


def _question(demand: Demand, snapshot: Snapshot, node: NodeName, features: Features) -> Question | Fault:
    policy = policy_on(snapshot.node(node), named_by_all(demand.claims), snapshot.packing)
    return policy if isinstance(policy, Fault) else Question.of(demand, snapshot, node, features, policy)


def _asked(
    questions: Iterable[tuple[NodeName, Question | Fault]],
    allowance: Allowance,
    tried: dict[NodeName, Fault | None],
) -> Placement | Unsatisfiable | None:
    """Node after node; `tried` is told of those that said no, and of what came in the way."""
    for node, question in questions:
        if not allowance.left:
            tried[node] = _UNSEARCHED
            continue
        match question if isinstance(question, Fault) else attempt(question, allowance):
            case None:
                tried[node] = None
            case Fault(node_only=True) as fault:
                tried[node] = fault
            case Fault(message):
                return Unsatisfiable(message=message)
            case results:
                return Placement(node, results)
    return None
