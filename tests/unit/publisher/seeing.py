"""What Kubernetes shows and the bus tells, in few words."""

from __future__ import annotations

from itertools import count
from typing import Any

import msgspec

from slicewire.common.bus.port import Heard
from slicewire.common.messages import ALLOCATION_LABEL, ANSWERS, Channel, ClaimAnswered, ClaimRef, Fact
from slicewire.common.model import (
    AllocationResult,
    ClaimUID,
    DeviceAllocationResult,
    DeviceName,
    DeviceRequestAllocationResult,
    Node,
    ObjectMeta,
    PoolName,
    RequestName,
    ResourceClaim,
    ResourceClaimConsumerReference,
    ResourceClaimStatus,
)
from slicewire.publisher import watched
from slicewire.publisher.cluster import Cluster
from slicewire.publisher.core.pods import (
    Pod,
    PodResourceClaim,
    PodResourceClaimStatus,
    PodSchedulingGate,
    PodSpec,
    PodStatus,
)
from slicewire.publisher.keys import Key
from tests.unit.publisher.storing import DRIVER

GATE = PodSchedulingGate(name=ALLOCATION_LABEL)
_versions = count(100)


def meta(name: str, **fields: Any) -> ObjectMeta:
    """Each call is a later version."""
    given = {"namespace": "default", "uid": f"uid-{name}", "resource_version": str(next(_versions)), **fields}
    return ObjectMeta(name=name, creation_timestamp="2026-11-24T10:00:00Z", **given)


def a_node(name: str = "node-a", **labels: str) -> Node:
    return Node(metadata=meta(name, namespace="", labels=labels))


def an_allocation(*devices: str) -> AllocationResult:
    results = tuple(
        DeviceRequestAllocationResult(
            request=RequestName("gpu"), driver=DRIVER, pool=PoolName("node-a"), device=DeviceName(device)
        )
        for device in devices
    )
    return AllocationResult(devices=DeviceAllocationResult(results=results))


def a_claim(
    name: str = "claim",
    allocation: AllocationResult | None = None,
    reserved_for: tuple[ResourceClaimConsumerReference, ...] = (),
    **metadata: Any,
) -> ResourceClaim:
    status = ResourceClaimStatus(allocation=allocation, reserved_for=reserved_for)
    return ResourceClaim(metadata=meta(name, **metadata), status=status)


def a_pod(
    *claims: str, name: str = "pod", gates: tuple[PodSchedulingGate, ...] = (GATE,), **metadata: Any
) -> Pod:
    entries = tuple(
        PodResourceClaim(name=f"entry-{index}", resource_claim_name=claim)
        for index, claim in enumerate(claims)
    )
    return Pod(metadata=meta(name, **metadata), spec=PodSpec(scheduling_gates=gates, resource_claims=entries))


def from_templates(pod: Pod, **made: str) -> Pod:
    """The pod with an entry from a template for each name; "" for a claim it turned out not to need."""
    entries = tuple(PodResourceClaim(name=name, resource_claim_template_name="any") for name in made)
    statuses = tuple(
        PodResourceClaimStatus(name=name, resource_claim_name=claim) for name, claim in made.items()
    )
    return msgspec.structs.replace(
        pod,
        spec=msgspec.structs.replace(pod.spec, resource_claims=entries),
        status=PodStatus(resource_claim_statuses=statuses),
    )


def reserving(pod: Pod) -> ResourceClaimConsumerReference:
    return ResourceClaimConsumerReference(resource="pods", name=pod.metadata.name, uid=pod.metadata.uid)


def see(cluster: Cluster, *objects: Any) -> list[Key]:
    known: tuple[watched.Kind[Any], ...] = (
        watched.NODES,
        watched.CLASSES[0],
        watched.CLAIMS[0],
        watched.PODS,
        watched.SLICES[0],
        *watched.TAINT_RULES,
    )
    kinds: dict[type, watched.Kind[Any]] = {each.type: each for each in known}
    return [key for found in objects for key in cluster.seen(kinds[type(found)], found)]


def hear(
    cluster: Cluster, channel: Channel[Any], fact: Fact | None, *key: str, sequence: int = 1
) -> list[Key]:
    told = key or channel.key(fact)
    return list(cluster.hear(Heard(channel, told, fact, sequence, {"traceparent": "of-the-answer"})))


def answer(
    cluster: Cluster, name: str, allocation: AllocationResult | None, claim_sequence: int = 0
) -> list[Key]:
    ref = ClaimRef(uid=ClaimUID(f"uid-{name}"))
    fact = ClaimAnswered(claim=ref, claim_sequence=claim_sequence, allocation=allocation)
    return hear(cluster, ANSWERS, fact)
