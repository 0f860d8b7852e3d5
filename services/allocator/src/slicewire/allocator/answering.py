"""Answers as values: what a decision says to each of the claims that it is about. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from slicewire.allocator.core.fleet import Placement
from slicewire.common.messages import ClaimAnswered, ClaimRef
from slicewire.common.model import ClaimName, Namespace, ResourceClaim, Unsatisfiable


def ref_of(claim: ResourceClaim) -> ClaimRef:
    meta = claim.metadata
    return ClaimRef(uid=claim.uid, namespace=Namespace(meta.namespace), name=ClaimName(meta.name))


def answered(
    claims: Sequence[ResourceClaim], decided: Placement | Unsatisfiable
) -> tuple[ClaimAnswered, ...]:
    """All on one node, or all refused for the same reason; in the order of the claims."""
    match decided:
        case Placement():
            return tuple(
                ClaimAnswered(claim=ref_of(claim), allocation=result, node=decided.node)
                for claim, result in zip(claims, decided.results, strict=True)
            )
        case Unsatisfiable():
            return tuple(ClaimAnswered(claim=ref_of(claim), refusal=decided) for claim in claims)
    assert_never(decided)
