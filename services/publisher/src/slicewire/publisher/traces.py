"""Whose trace a write belongs to, and for which pod all of it happens. Pure."""

from __future__ import annotations

from slicewire.common import telemetry
from slicewire.common.messages import CLAIMS
from slicewire.common.model import ClaimUID, ResourceClaim
from slicewire.publisher.cluster import Cluster
from slicewire.publisher.keys import FactKey


def of_claim(claim: ResourceClaim, cluster: Cluster) -> dict[str, str]:
    """The trace of the allocator's answer; before there is one, what begins here is a trace of its own."""
    answer = cluster.answers.get(claim.uid)
    return telemetry.bearing(answer[1] if answer else {}, pod_uid=pod_of(claim, cluster))


def of_fact(key: FactKey, cluster: Cluster) -> dict[str, str]:
    """All that is told of one claim is one trace."""
    claim = cluster.claims.get(ClaimUID(key.name)) if key.kind == CLAIMS.kind else None
    return of_claim(claim, cluster) if claim else {}


def pod_of(claim: ResourceClaim, cluster: Cluster) -> str:
    """UID of the pod it was made for, else of the first that waits for it or has reserved it."""
    owners = [owner.uid for owner in claim.metadata.owner_references if owner.kind == "Pod"]
    waiting = [pod.metadata.uid for pod in cluster.waiting.gated_pods(claim)]
    reserved = [consumer.uid for consumer in claim.status.reserved_for]
    return next(iter((*owners, *waiting, *reserved)), "")
