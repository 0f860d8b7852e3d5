"""Which node comes nearest to a claim that fits nowhere, and what stands between them.

Looks only; changes.py asks it where to look for a remedy.
"""

from __future__ import annotations

from collections.abc import Sequence

from slicewire.allocator.core.faults import Fault
from slicewire.allocator.core.features import DEFAULT, Features
from slicewire.allocator.core.kinds import Kind, kinds
from slicewire.allocator.core.refusals import EXPLAINING_STEPS
from slicewire.allocator.core.requests import read
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.allocator.core.solver import Allowance
from slicewire.allocator.core.survey import Refused, Survey, distance, of_kind
from slicewire.common.model import NodeName, ResourceClaim, Rule


def nearest_miss(
    claims: Sequence[ResourceClaim],
    snapshot: Snapshot,
    nodes: Sequence[NodeName],
    features: Features = DEFAULT,
) -> str:
    """The nearest node, how many it has, and why the next device is not one more; "" if there is none."""
    demand = read(claims, snapshot.classes, features)
    if isinstance(demand, Fault):
        return ""
    found = nearest_first(kinds(demand, snapshot, nodes, features), nodes)
    return _sentence(found[0][1]) if found else ""


def nearest_first(alike: Sequence[Kind], nodes: Sequence[NodeName]) -> tuple[tuple[NodeName, Survey], ...]:
    """Each node by the alternative that it comes nearest to; nodes where that cannot be told are left out.

    What is said of a node is what the first of its kind showed.
    """
    allowance = Allowance(EXPLAINING_STEPS)
    shown = {kind: min(found, key=distance) for kind in alike if (found := of_kind(kind, allowance))}
    far = {kind: distance(survey) for kind, survey in shown.items()}
    kind_of = {node: kind for kind in shown for node in kind.nodes}
    near = sorted((node for node in nodes if node in kind_of), key=lambda node: far[kind_of[node]])
    return tuple((node, shown[kind_of[node]]) for node in near)


def _sentence(survey: Survey) -> str:
    devices = "device" if survey.needed == 1 else "devices"
    nearest = f"{survey.node} comes nearest with {survey.together} of {survey.needed} {devices}"
    refused = (*survey.refused, *survey.apart)
    return f"{nearest}; {_next(max(refused, key=_how_far))}" if refused else nearest


def _how_far(refused: Refused) -> int:
    """The rules are asked in their order: who is refused by a later one came farther."""
    return list(Rule).index(refused.rule)


def _next(refused: Refused) -> str:
    if refused.device is None:
        return refused.message
    return f"next would be {refused.device.device}, but: {refused.message}"
