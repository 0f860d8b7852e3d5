"""What the publisher tells of Kubernetes: only what others decide by, so that a changed annotation
or a heartbeat is not news. Pure.
"""

from __future__ import annotations

from functools import partial

from slicewire.common.messages import (
    ALLOCATION_LABEL,
    CLAIMS,
    CLASSES,
    KUBE_SCHEDULER,
    NODES,
    SLICEWIRE,
    TAINT_RULES,
    ClaimObserved,
    ClassObserved,
    Fact,
    NodeObserved,
    TaintRuleObserved,
)
from slicewire.common.model import (
    POD_CLAIM_NAME,
    AllocationResult,
    ClaimUID,
    DeviceClass,
    DeviceTaintRule,
    DriverName,
    Node,
    NodeName,
    ObjectMeta,
    ResourceClaim,
    ResourceClaimStatus,
)
from slicewire.publisher.cluster import Cluster
from slicewire.publisher.core.gangs import joined
from slicewire.publisher.keys import FactKey

_ANNOTATIONS = (POD_CLAIM_NAME,)
"""Those that somebody needs who hears of the object."""


def fact_of(key: FactKey, cluster: Cluster) -> Fact | None:
    """What there is to tell under this key now; None when Kubernetes has no such object."""
    match key.kind:
        case NODES.kind:
            node = cluster.nodes.get(key.name)
            return None if node is None else node_fact(node, silent_drivers(NodeName(key.name), cluster))
        case CLASSES.kind:
            found = cluster.classes.get(key.name)
            return None if found is None else class_fact(found)
        case TAINT_RULES.kind:
            rule = cluster.taint_rules.get(key.name)
            return None if rule is None else taint_rule_fact(rule)
        case CLAIMS.kind:
            claim = cluster.claims.get(ClaimUID(key.name))
            return None if claim is None else claim_fact(claim, cluster)
        case kind:
            raise AssertionError(f"no fact of ours is of kind {kind}")


def node_fact(node: Node, silent: tuple[DriverName, ...] = ()) -> NodeObserved:
    meta = node.metadata
    return NodeObserved(
        name=NodeName(meta.name),
        uid=meta.uid,
        labels=dict(meta.labels),
        allocation=allocation_mode(node),
        silent=silent,
    )


def silent_drivers(node: NodeName, cluster: Cluster) -> tuple[DriverName, ...]:
    """Whose agents do not answer there. Of one that has not been heard yet, what was told still holds."""
    told = cluster.told.get(FactKey(NODES.kind, node))
    known = told.silent if isinstance(told, NodeObserved) else ()
    silent = (
        key.driver
        for key in cluster.pools_of(node)
        if cluster.is_silent(key) or (key.driver in known and cluster.is_unheard(key))
    )
    return tuple(sorted(silent))


def allocation_mode(node: Node) -> str:
    """Who allocates the node's devices. Any other value of the label than ours is kube-scheduler's."""
    asked = node.metadata.labels.get(ALLOCATION_LABEL, KUBE_SCHEDULER)
    return SLICEWIRE if asked == SLICEWIRE else KUBE_SCHEDULER


def class_fact(found: DeviceClass) -> ClassObserved:
    return ClassObserved(device_class=DeviceClass(metadata=_identity(found.metadata), spec=found.spec))


def taint_rule_fact(found: DeviceTaintRule) -> TaintRuleObserved:
    return TaintRuleObserved(rule=DeviceTaintRule(metadata=_identity(found.metadata), spec=found.spec))


def claim_fact(claim: ResourceClaim, cluster: Cluster) -> ClaimObserved:
    """Slicewire decides a claim while a pod behind its gate uses it, and stays the one who decided
    while Kubernetes shows the allocation that it gave. All others are kube-scheduler's."""
    bare = ResourceClaim(
        metadata=_identity(claim.metadata),
        spec=claim.spec,
        status=ResourceClaimStatus(allocation=claim.status.allocation),
    )
    together = _together(claim, cluster)
    decided_by = SLICEWIRE if together or is_ours(claim, cluster) else KUBE_SCHEDULER
    return ClaimObserved(claim=bare, decided_by=decided_by, together=together)


def is_ours(claim: ResourceClaim, cluster: Cluster) -> bool:
    """Kubernetes shows the devices that the allocator gave."""
    shown, given = claim.status.allocation, cluster.allocation(claim.uid)
    return shown is not None and given is not None and shown.devices.results == given.devices.results


def to_be_written(claim: ResourceClaim, cluster: Cluster) -> AllocationResult | None:
    """The allocator's answer to the claim as it is now; an answer to what it was may be stale: then the
    devices may have been given back, and to somebody else, since."""
    key = FactKey(CLAIMS.kind, claim.uid)
    if cluster.told.get(key) != claim_fact(claim, cluster):
        return None
    answer = cluster.answers.get(claim.uid)
    if answer is None or answer[0].claim_sequence != cluster.told_sequences.get(key):
        return None
    return answer[0].allocation


def _together(claim: ResourceClaim, cluster: Cluster) -> tuple[ClaimUID, ...]:
    """The claims of the pods that wait for this one, and of all that share a claim with them; none while
    some are not there yet, or their gang has to wait its turn."""
    namespace, name = claim.metadata.namespace, claim.metadata.name
    users = partial(cluster.waiting.deciding_pods, namespace)
    return cluster.waiting.uids(namespace, joined(name, users)) if users(name) else ()


def _identity(meta: ObjectMeta) -> ObjectMeta:
    return ObjectMeta(
        name=meta.name,
        namespace=meta.namespace,
        uid=meta.uid,
        creation_timestamp=meta.creation_timestamp,
        deletion_timestamp=meta.deletion_timestamp,
        annotations={name: meta.annotations[name] for name in _ANNOTATIONS if name in meta.annotations},
    )
