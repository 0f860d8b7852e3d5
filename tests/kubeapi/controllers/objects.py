"""The few questions about pods, claims and owners that several controllers ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.kubeapi.kinds import CLAIMS, PODS, Kind
from tests.kubeapi.store import Store
from tests.kubeapi.targets import Target

Object = Mapping[str, Any]
DELETE_PROTECTION = "resource.kubernetes.io/delete-protection"
POD_CLAIM_NAME = "resource.kubernetes.io/pod-claim-name"


@dataclass(frozen=True)
class Step:
    """What a controller does about one object of a kind: whatever is missing, and nothing twice."""

    kind: Kind
    act: Callable[[Store, Object], None]


def is_finished(pod: Object) -> bool:
    return pod.get("status", {}).get("phase") in {"Succeeded", "Failed"}


def is_being_deleted(stored: Object) -> bool:
    return "deletionTimestamp" in stored["metadata"]


def needs_its_claims(pod: Object) -> bool:
    """A pod still to run, or running: not one that has ended, nor one deleted before it was placed."""
    placed = bool(pod.get("spec", {}).get("nodeName"))
    return not is_finished(pod) and (placed or not is_being_deleted(pod))


def pod_named(store: Store, namespace: str, name: str, uid: str) -> Object | None:
    """That very pod, not a later one of the same name."""
    pod = store.find(Target(PODS, namespace, name))
    return pod if pod is not None and pod["metadata"]["uid"] == uid else None


def claim_names(pod: Object) -> Iterator[str | None]:
    """The claim behind each of a pod's entries; None for one that is still to be made."""
    made = {
        each["name"]: each.get("resourceClaimName")
        for each in pod.get("status", {}).get("resourceClaimStatuses", ())
    }
    for entry in pod.get("spec", {}).get("resourceClaims", ()):
        yield entry.get("resourceClaimName") or made.get(entry["name"])


def claim_of(store: Store, pod: Object, name: str) -> Object | None:
    return store.find(Target(CLAIMS, pod["metadata"]["namespace"], name))


def is_owned_by(stored: Object, uid: str) -> bool:
    return any(owner["uid"] == uid for owner in stored["metadata"].get("ownerReferences", ()))
