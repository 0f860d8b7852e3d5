"""The door for claims that come over the bus: who they are must be clear before they are decided."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from slicewire.allocator.view import View
from slicewire.common.bus.port import Declined
from slicewire.common.messages import BadKey, ClaimRef, token
from slicewire.common.model import ClaimUID, ResourceClaim

MOST_CLAIMS = 100
"""Claims of one request; a gang of more is a request of its own for each part that may differ."""


def refuse_claims(
    claims: Sequence[ResourceClaim],
    claim_of: Callable[[str], ResourceClaim | None],
    was_released: Callable[[ClaimUID], bool],
) -> Declined | None:
    """Why these claims cannot even be looked at, or None."""
    if not 0 < len(claims) <= MOST_CLAIMS:
        return Declined(400, f"claims: {len(claims)} given, 1 to {MOST_CLAIMS} can be allocated together")
    if len({claim.uid for claim in claims}) < len(claims):
        return Declined(400, "claims: two of them have the same metadata.uid")
    for index, claim in enumerate(claims):
        if reason := _refuse_names(claim, f"claims[{index}].metadata") or _refuse_twins(claim, index):
            return Declined(400, reason)
        if was_released(claim.uid):  # the question may have waited somewhere: a release is final
            where = f"claims[{index}].metadata.uid"
            said = f"claim {claim.label} was released under {claim.uid}; ask under a new uid"
            return Declined(409, f"{where}: {said}")
        if reason := _refuse_another(claim, claim_of(claim.label)):
            return Declined(409, reason)
    return None


def _refuse_another(claim: ResourceClaim, known: ResourceClaim | None) -> str:
    """Why this is not the claim that is known under its name."""
    if known is not None and known.uid != claim.uid:
        return f"claim {claim.label} exists already, with uid {known.uid}; release it first"
    if known is not None and known.spec != claim.spec:
        return f"claim {claim.label} exists already, with another spec; release it first"
    return ""


def _refuse_names(claim: ResourceClaim, path: str) -> str:
    for field in ("uid", "name", "namespace"):
        value = getattr(claim.metadata, field)
        try:
            token(value)
        except BadKey as error:
            return f"{path}.{field}: {error}"
    return ""


def _refuse_twins(claim: ResourceClaim, index: int) -> str:
    """Kubernetes refuses a claim with two requests of one name before anybody has to decide it."""
    names = [request.name for request in claim.spec.devices.requests]
    twice = next((name for name in names if names.count(name) > 1), None)
    return f"claims[{index}].spec.devices.requests: two are named {twice!r}" if twice is not None else ""


def find(ref: ClaimRef, view: View) -> ClaimUID | Declined:
    """The claim that is meant, by UID or by namespace and name."""
    uid = ref.uid or view.uid_of(ref.label)
    if uid in view.claims:
        return uid
    return Declined(404, f"there is no claim {ref.uid or ref.label}")
