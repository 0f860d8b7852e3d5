"""A claim as Kubernetes has it → what it holds, or why it is not the one that was asked for."""

from __future__ import annotations

from slicewire.common.model import DriverName, ResourceClaim
from slicewire.node_prep.core.node import Allocation, Claim
from slicewire.node_prep.core.refusal import PrepareRefusal, Why

_MOST_PODS = 8
"""Of hundreds that share it, the first few say enough."""


def held(asked: Claim, found: ResourceClaim, driver: DriverName) -> Allocation | PrepareRefusal:
    """Whether the devices are this node's is for the plan to say."""
    if found.uid != asked.uid:
        return PrepareRefusal(
            Why.REPLACED_CLAIM,
            f"claim {asked.label} was replaced: in Kubernetes its UID is {found.uid}, not {asked.uid}",
        )
    allocation = found.status.allocation
    if allocation is None:
        return PrepareRefusal(Why.UNKNOWN_CLAIM, f"claim {asked} is not allocated in Kubernetes")
    results = tuple(result for result in allocation.devices.results if result.driver == driver)
    if not results:
        return PrepareRefusal(Why.UNKNOWN_CLAIM, f"claim {asked} holds no device of {driver}")
    pods = tuple(consumer.uid for consumer in found.status.reserved_for if consumer.resource == "pods")
    return Allocation(
        asked,
        results,
        allocation.devices.config,
        pod_claim_name=found.pod_claim_name,
        pod_uids=pods[:_MOST_PODS],
    )
