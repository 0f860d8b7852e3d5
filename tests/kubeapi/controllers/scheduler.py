"""The stand-in for kube-scheduler and for a kubelet that ends pods: it places, it never allocates.

A pod without gates is bound once all its claims are allocated and reserved for it, to the first node,
by name, that its own selector and every allocation's node selector admit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tests.kubeapi.controllers.objects import Step, claim_names, claim_of, is_being_deleted, is_finished
from tests.kubeapi.kinds import NODES, PODS
from tests.kubeapi.requests import Deletion, Write
from tests.kubeapi.store import Store, target_of

Object = Mapping[str, Any]
_WRITE = Write(manager="kube-scheduler")
_SCHEDULER = "default-scheduler"


def bind_pod(store: Store, pod: Object) -> None:
    if not _waits_for_a_node(pod) or (selectors := allocation_selectors(store, pod)) is None:
        return
    fitting = [name_of(node) for node in store.all(NODES) if _takes(node, pod, selectors)]
    if fitting:
        store.bind(target_of(PODS, pod), min(fitting), _WRITE)


def name_of(stored: Object) -> str:
    return str(stored["metadata"]["name"])


def _waits_for_a_node(pod: Object) -> bool:
    spec = pod["spec"]
    free = not spec.get("nodeName") and not spec.get("schedulingGates")
    return free and spec["schedulerName"] == _SCHEDULER and not is_being_deleted(pod) and not is_finished(pod)


def allocation_selectors(store: Store, pod: Object) -> tuple[Object, ...] | None:
    """Where the pod's allocations can be reached; None while one of its claims is not ready for it."""
    claims = [name and claim_of(store, pod, name) for name in claim_names(pod)]
    selectors = []
    for claim in claims:
        if not claim or not _is_ready_for(claim, pod):
            return None
        if selector := claim["status"]["allocation"].get("nodeSelector"):
            selectors.append(selector)
    return tuple(selectors)


def _is_ready_for(claim: Object, pod: Object) -> bool:
    status = claim.get("status", {})
    reserved = any(each["uid"] == pod["metadata"]["uid"] for each in status.get("reservedFor", ()))
    return "allocation" in status and reserved


def _takes(node: Object, pod: Object, selectors: Iterable[Object]) -> bool:
    labels = node["metadata"].get("labels", {})
    chosen = pod["spec"].get("nodeSelector", {}).items()
    open_for_pods = not node.get("spec", {}).get("unschedulable") and not is_being_deleted(node)
    return (
        open_for_pods
        and all(labels.get(key) == value for key, value in chosen)
        and all(selects(selector, node) for selector in selectors)
    )


def selects(selector: Object, node: Object) -> bool:
    """Any term may hold, and in it all requirements must; a term that says nothing holds for nobody."""
    labels = node["metadata"].get("labels", {})
    named = {"metadata.name": node["metadata"]["name"]}
    for term in selector["nodeSelectorTerms"]:
        asked = [
            *((each, labels) for each in term.get("matchExpressions", ())),
            *((each, named) for each in term.get("matchFields", ())),
        ]
        if asked and all(_holds(requirement, values) for requirement, values in asked):
            return True
    return False


def _holds(requirement: Object, values: Mapping[str, str]) -> bool:
    found, wanted = values.get(requirement["key"]), requirement.get("values", ())
    match requirement["operator"]:
        case "In":
            return found in wanted
        case "NotIn":
            return found not in wanted
        case "Exists":
            return found is not None
        case "DoesNotExist":
            return found is None
        case "Gt":
            return found is not None and int(found) > int(wanted[0])
        case _:
            return found is not None and int(found) < int(wanted[0])


def end_deleted_pod(store: Store, pod: Object) -> None:
    """What a kubelet does last for a pod that is being deleted; here there is no container to wait for."""
    if is_being_deleted(pod) and not pod["metadata"].get("finalizers"):
        store.delete(target_of(PODS, pod), Deletion(grace_seconds=0))


SCHEDULER_STEPS = (Step(PODS, bind_pod),)
KUBELET_STEPS = (Step(PODS, end_deleted_pod),)
