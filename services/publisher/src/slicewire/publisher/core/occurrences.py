"""What is worth an Event of Kubernetes, and how it is written (`events.k8s.io/v1`). Pure.

The same of the same object is one Event that counts, by its name: also after a restart, and of another
publisher. Refuses nothing: what is too long for an Event is cut.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from slicewire.common.model import AllocationResult, Node, ResourceClaim
from slicewire.publisher.core.pods import Pod

REPORTER = "slicewire.dev/publisher"
_LONGEST_NOTE = 1024
_LONGEST_NAME = 200
_LONGEST_INSTANCE = 128


class Regarding(msgspec.Struct, frozen=True):
    """The object that an Event is about."""

    kind: str
    api_version: str
    name: str
    uid: str
    namespace: str = ""


class Occurrence(msgspec.Struct, frozen=True):
    """`reason` says what happened, in one word; `note` is for people."""

    regarding: Regarding
    reason: str
    note: str
    type: Literal["Normal", "Warning"] = "Normal"
    action: str = "Allocate"


def about_claim(claim: ResourceClaim, version: str) -> Regarding:
    meta = claim.metadata
    return Regarding("ResourceClaim", f"resource.k8s.io/{version}", meta.name, meta.uid, meta.namespace)


def about_pod(pod: Pod) -> Regarding:
    meta = pod.metadata
    return Regarding("Pod", "v1", meta.name, meta.uid, meta.namespace)


def about_users(claim: ResourceClaim) -> tuple[Regarding, ...]:
    """The pods that the claim is reserved for."""
    namespace = claim.metadata.namespace
    pods = (user for user in claim.status.reserved_for if user.resource == "pods")
    return tuple(Regarding("Pod", "v1", user.name, user.uid, namespace) for user in pods)


def about_node(node: Node) -> Regarding:
    return Regarding("Node", "v1", node.metadata.name, node.metadata.uid)


def names(allocation: AllocationResult) -> str:
    """The devices of an allocation, for a note."""
    found = (f"{result.pool}/{result.device}" for result in allocation.devices.results)
    return ", ".join(found) or "no devices"


def everywhere(about: Iterable[Regarding], first: Occurrence) -> tuple[Occurrence, ...]:
    """The same of each of these objects."""
    return tuple(msgspec.structs.replace(first, regarding=each) for each in about)


def name_of(occurrence: Occurrence) -> str:
    """One name for what is the same."""
    told = (occurrence.regarding.uid, occurrence.type, occurrence.reason, occurrence.action, occurrence.note)
    mark = hashlib.sha256("\0".join(told).encode()).hexdigest()[:16]
    return f"{occurrence.regarding.name[:_LONGEST_NAME].rstrip('.-')}.{mark}"


def namespace_of(occurrence: Occurrence) -> str:
    """Events about what has no namespace are in `default`."""
    return occurrence.regarding.namespace or "default"


def event(occurrence: Occurrence, instance: str, moment: str) -> dict[str, Any]:
    """The Event of its first time."""
    about = occurrence.regarding
    regarding = {"kind": about.kind, "apiVersion": about.api_version, "name": about.name, "uid": about.uid}
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name_of(occurrence), "namespace": namespace_of(occurrence)},
        "eventTime": moment,
        "reportingController": REPORTER,
        "reportingInstance": instance[:_LONGEST_INSTANCE],
        "action": occurrence.action,
        "reason": occurrence.reason,
        "regarding": {**regarding, "namespace": about.namespace} if about.namespace else regarding,
        "note": _cut(occurrence.note),
        "type": occurrence.type,
    }


def series(count: int, moment: str) -> dict[str, Any]:
    """The change that counts it once more: `count` is how often it has been seen in all."""
    return {"series": {"count": count, "lastObservedTime": moment}}


def _cut(note: str) -> str:
    """By bytes, as the server counts them."""
    if len(note.encode()) <= _LONGEST_NOTE:
        return note
    return note.encode()[: _LONGEST_NOTE - 3].decode(errors="ignore") + "…"
