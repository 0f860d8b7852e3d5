"""How each kind behaves when written: what a writer may touch, what the server fills in, when it is gone.

Pure functions from an old and a new object to the one to be kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from tests.kubeapi.kinds import CLAIM_TEMPLATES, CLAIMS, EVERY_TAINT_RULES, NAMESPACES, PODS, SLICES, Kind
from tests.kubeapi.validation.claim_status import allocated_devices, device_key

Object = Mapping[str, Any]

_KEPT_METADATA = (
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)
_ENDED = ("Succeeded", "Failed")
ADMIN_LABEL = "resource.kubernetes.io/admin-access"
GRACE_SECONDS = 30


def fresh(kind: Kind, sent: Object) -> dict[str, Any]:
    """What of a new object its creator decides; the status is the server's."""
    made = dict(sent)
    if kind.has_status and not kind.keeps_status_on_create:
        made["status"] = {"phase": "Pending"} if kind is PODS else {}
    if kind is NAMESPACES:
        made |= {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
        labels = {
            **made["metadata"].get("labels", {}),
            "kubernetes.io/metadata.name": made["metadata"]["name"],
        }
        made["metadata"] = {**made["metadata"], "labels": labels}
    return made


def settled(kind: Kind, old: Object, new: Object, subresource: str) -> dict[str, Any]:
    """What of a changed object this door lets through: spec here, status there, the server's own nowhere."""
    match subresource:
        case "status":
            made = {**old, "status": new.get("status", {})}
            return _less_deallocated(old, made) if kind is CLAIMS else made
        case "finalize":
            return {**old, "spec": new.get("spec", {})}
    made = dict(new)
    kept = (("status",) if kind.has_status else ()) + (("spec",) if kind is NAMESPACES else ())
    for part in kept:
        made.pop(part, None)
        if part in old:
            made[part] = old[part]
    metadata = {field: old["metadata"][field] for field in _KEPT_METADATA if field in old["metadata"]}
    made["metadata"] = {**metadata, **new["metadata"]}
    for field in ("generation", "resourceVersion", "managedFields"):
        made["metadata"].pop(field, None)
        if field in old["metadata"]:
            made["metadata"][field] = old["metadata"][field]
    return made


def _less_deallocated(old: Object, claim: dict[str, Any]) -> dict[str, Any]:
    """What drivers told about a device goes with its allocation, in the same write."""
    before, status = old.get("status", {}), claim["status"]
    freed = allocated_devices(before.get("allocation", {})) - allocated_devices(status.get("allocation", {}))
    told = [each for each in status.get("devices", ()) if device_key(each) not in freed]
    rest = {key: value for key, value in status.items() if key != "devices"}
    return {**claim, "status": {**rest, "devices": told} if told else rest}


def counted(kind: Kind, old: Object, new: dict[str, Any]) -> dict[str, Any]:
    """The generation goes up when the wish changes, not when its fulfilment does."""
    if not kind.counts_generations or old.get("spec") == new.get("spec"):
        return new
    generation = old["metadata"].get("generation", 0) + 1
    return {**new, "metadata": {**new["metadata"], "generation": generation}}


def defaulted(kind: Kind, sent: Object, now: str) -> dict[str, Any]:
    """The object with what its writer left open filled in."""
    made = deepcopy(dict(sent))
    spec = made.get("spec", {})
    if kind is SLICES:
        for device in spec.get("devices", ()):
            for taint in device.get("taints", ()):
                taint.setdefault("timeAdded", now)
    elif kind in EVERY_TAINT_RULES:
        spec.get("taint", {}).setdefault("timeAdded", now)
    elif kind is CLAIMS:
        _default_requests(spec)
    elif kind is CLAIM_TEMPLATES:
        _default_requests(spec.get("spec", {}))
    elif kind is PODS:
        made.setdefault("spec", {}).setdefault("schedulerName", "default-scheduler")
    return made


def _default_requests(spec: dict[str, Any]) -> None:
    for request in spec.get("devices", {}).get("requests", ()):
        alternatives = request.get("firstAvailable", ())
        for wanted in (*((request["exactly"],) if "exactly" in request else ()), *alternatives):
            wanted["allocationMode"] = wanted.get("allocationMode") or "ExactCount"
            if wanted["allocationMode"] == "ExactCount":
                wanted["count"] = wanted.get("count") or 1
            elif wanted.get("count") == 0:
                del wanted["count"]
            for toleration in wanted.get("tolerations", ()):
                toleration["operator"] = toleration.get("operator") or "Equal"


def asks_admin_access(kind: Kind, sent: Object) -> bool:
    """Claims and templates that look at devices in use need an administrator's leave."""
    spec = sent.get("spec", {})
    if kind is CLAIM_TEMPLATES:
        spec = spec.get("spec", {})
    elif kind is not CLAIMS:
        return False
    return any(r.get("exactly", {}).get("adminAccess") for r in spec.get("devices", {}).get("requests", ()))


def gets_admin_access(old: Object, new: Object) -> bool:
    """Whether this write is the one that allocates devices in use."""
    allocation = new.get("status", {}).get("allocation", {})
    results = allocation.get("devices", {}).get("results", ())
    return "allocation" not in old.get("status", {}) and any(each.get("adminAccess") for each in results)


def bound(pod: Object, node: str, now: str) -> dict[str, Any]:
    """The pod on its node, and said to be."""
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": now}
    status = pod.get("status", {})
    others = [each for each in status.get("conditions", ()) if each["type"] != "PodScheduled"]
    spec = {**pod.get("spec", {}), "nodeName": node}
    return counted(PODS, pod, {**pod, "spec": spec, "status": {**status, "conditions": [*others, scheduled]}})


def marked_for_deletion(kind: Kind, stored: Object, now: str, grace_seconds: int | None) -> dict[str, Any]:
    """The object on its way out: a running pod gets time to end, a namespace time to be emptied."""
    metadata = dict(stored["metadata"])
    grace = _grace(kind, stored, grace_seconds)
    if "deletionTimestamp" not in metadata:
        metadata["deletionTimestamp"] = now
        if "generation" in metadata:
            metadata["generation"] += 1
    metadata["deletionGracePeriodSeconds"] = min(grace, metadata.get("deletionGracePeriodSeconds", grace))
    made = {**stored, "metadata": metadata}
    return (
        {**made, "status": {**stored.get("status", {}), "phase": "Terminating"}}
        if kind is NAMESPACES
        else made
    )


def _grace(kind: Kind, stored: Object, asked: int | None) -> int:
    is_bound = bool(stored.get("spec", {}).get("nodeName"))
    if kind is not PODS or not is_bound or stored.get("status", {}).get("phase") in _ENDED:
        return 0
    return GRACE_SECONDS if asked is None else asked


def is_gone(kind: Kind, stored: Object) -> bool:
    """Marked for deletion with nothing left that holds it."""
    metadata = stored["metadata"]
    held = metadata.get("finalizers") or metadata.get("deletionGracePeriodSeconds", 0) > 0
    emptied = kind is not NAMESPACES or not stored.get("spec", {}).get("finalizers")
    return "deletionTimestamp" in metadata and not held and emptied
