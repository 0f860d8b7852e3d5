"""Which policy holds: the claim's own word, else the node's, else the allocator's."""

from __future__ import annotations

from collections.abc import Sequence

from slicewire.allocator.core.faults import Fault
from slicewire.allocator.core.nodes import NodeView
from slicewire.common.model import ResourceClaim
from slicewire.common.model.packing import PACKING, Packing, packing_named


def named_by(claim: ResourceClaim) -> Packing | None:
    """None where the claim says nothing, or nothing that is a policy: `policy_problem` tells the latter."""
    name = claim.metadata.annotations.get(PACKING)
    return packing_named(name) if name else None


def named_by_all(claims: Sequence[ResourceClaim]) -> Packing | None:
    """Claims that go together go to one node: the first that says something says where."""
    return next((policy for claim in claims if (policy := named_by(claim))), None)


def policy_problem(claim: ResourceClaim) -> str | None:
    """An annotation that names no policy is a mistake, not a wish for the usual."""
    name = claim.metadata.annotations.get(PACKING)
    if name is None or packing_named(name):
        return None
    return f"claim {claim.label.removeprefix('/')}: annotation {PACKING}: {_not_a_policy(name)}"


def labelled(node: NodeView) -> Packing | None:
    """None where the node says nothing, or nothing that is a policy."""
    return packing_named(node.labels.get(PACKING, ""))


def policy_on(node: NodeView, asked: Packing | None, otherwise: Packing) -> Packing | Fault:
    """A label that names no policy keeps claims away that depend on it."""
    if asked is not None or PACKING not in node.labels:
        return asked or otherwise
    found = labelled(node)
    if found is None:
        words = _not_a_policy(node.labels[PACKING])
        return Fault(f"node {node.name}: label {PACKING}: {words}", node_only=True)
    return found


def _not_a_policy(name: str) -> str:
    return f"{name!r} is not one of {', '.join(Packing)}"
