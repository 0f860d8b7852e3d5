"""Pods that wait behind Slicewire's scheduling gate, and what their claims need next. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from slicewire.common.model import (
    AllocationResult,
    ClaimUID,
    ObjectMeta,
    ResourceClaim,
    ResourceClaimConsumerReference,
)
from slicewire.common.model.struct import Object

FINALIZER = "resource.kubernetes.io/delete-protection"
"""Kubernetes keeps a claim with it until it is deallocated; it goes on before the allocation does."""


class PodSchedulingGate(Object, frozen=True):
    name: str


class PodResourceClaim(Object, frozen=True):
    name: str
    resource_claim_name: str = ""
    resource_claim_template_name: str = ""


class PodSpec(Object, frozen=True):
    scheduling_gates: tuple[PodSchedulingGate, ...] = ()
    resource_claims: tuple[PodResourceClaim, ...] = ()


class PodResourceClaimStatus(Object, frozen=True):
    """Which claim was made for an entry; no name: none is needed."""

    name: str
    resource_claim_name: str = ""


class PodStatus(Object, frozen=True):
    resource_claim_statuses: tuple[PodResourceClaimStatus, ...] = ()


class Pod(Object, frozen=True):
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: PodSpec = msgspec.field(default_factory=PodSpec)
    status: PodStatus = msgspec.field(default_factory=PodStatus)


class AddFinalizer(msgspec.Struct, frozen=True):
    claim: ResourceClaim
    finalizers: tuple[str, ...]


class WriteStatus(msgspec.Struct, frozen=True):
    """Allocation and reservation in one update, as kube-scheduler does it."""

    claim: ResourceClaim
    allocation: AllocationResult
    reserved_for: tuple[ResourceClaimConsumerReference, ...]


class LiftGate(msgspec.Struct, frozen=True):
    pod: Pod
    remaining: tuple[PodSchedulingGate, ...]


Step = AddFinalizer | WriteStatus | LiftGate


def is_gated(pod: Pod, gate: str) -> bool:
    """Waits for us, and is not on its way out."""
    return pod.metadata.deletion_timestamp is None and any(
        found.name == gate for found in pod.spec.scheduling_gates
    )


def claim_names(pod: Pod) -> tuple[str, ...] | None:
    """The names of the pod's claims, each once; None while some have yet to be made from their template."""
    made = {entry.name: entry.resource_claim_name for entry in pod.status.resource_claim_statuses}
    names = []
    for entry in pod.spec.resource_claims:
        if entry.resource_claim_name:
            names.append(entry.resource_claim_name)
        elif entry.name not in made:
            return None
        elif made[entry.name]:
            names.append(made[entry.name])
    return tuple(dict.fromkeys(names))


def oldest_first(pods: Iterable[Pod]) -> tuple[Pod, ...]:
    return tuple(sorted(pods, key=lambda pod: (pod.metadata.creation_timestamp or "", pod.metadata.name)))


def next_steps(
    pod: Pod,
    claims: tuple[ResourceClaim, ...],
    answers: Mapping[ClaimUID, AllocationResult],
    gate: str,
) -> tuple[Step, ...]:
    """What is missing before the pod may be scheduled, as far as it can be done now.

    Nothing while one of its claims has no devices, or is on its way out: a pod gets all of them, or
    waits. `answers` are allocations of ours; one that another has written is left as it is. The gate
    goes only when the status of every claim has been seen to be written.
    """
    steps: list[Step] = []
    for claim in claims:
        ours = answers.get(claim.uid)
        if ours is not None and claim.metadata.deletion_timestamp is None:
            steps += _claim_steps(pod, claim, ours)
        elif claim.status.allocation is None or claim.metadata.deletion_timestamp is not None:
            return ()
    if steps:
        return tuple(steps)
    remaining = tuple(found for found in pod.spec.scheduling_gates if found.name != gate)
    return (LiftGate(pod, remaining),)


def _claim_steps(pod: Pod, claim: ResourceClaim, allocation: AllocationResult) -> tuple[Step, ...]:
    """The next step of one claim: each changes the claim's resourceVersion, so one at a time."""
    if FINALIZER not in claim.metadata.finalizers:
        return (AddFinalizer(claim, (*claim.metadata.finalizers, FINALIZER)),)
    if any(holder.uid == pod.metadata.uid for holder in claim.status.reserved_for):
        return ()
    holder = ResourceClaimConsumerReference(resource="pods", name=pod.metadata.name, uid=pod.metadata.uid)
    return (WriteStatus(claim, allocation, (*claim.status.reserved_for, holder)),)
