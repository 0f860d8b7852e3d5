"""The stand-ins for the garbage collector and the namespace controller.

Collected in the background only: what is orphaned goes after its owner, never before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.kubeapi.controllers.objects import Step, is_being_deleted
from tests.kubeapi.kinds import BY_KIND, KINDS, NAMESPACES
from tests.kubeapi.requests import Deletion
from tests.kubeapi.store import Store, target_of
from tests.kubeapi.targets import Target

Object = Mapping[str, Any]
_AT_ONCE = Deletion(grace_seconds=0)


def collect_orphan(store: Store, stored: Object) -> None:
    """An object all of whose owners are gone goes too, as a node's slices and a pod's claims do."""
    owners = stored["metadata"].get("ownerReferences", ())
    if owners and not is_being_deleted(stored) and not any(_lives(store, stored, each) for each in owners):
        store.delete(target_of(BY_KIND[stored["apiVersion"], stored["kind"]], stored))


def _lives(store: Store, stored: Object, owner: Object) -> bool:
    """An owner is known by its uid, not its name; of kinds that are not served nothing is known."""
    kind = BY_KIND.get((owner["apiVersion"], owner["kind"]))
    if kind is None:
        return True
    namespace = stored["metadata"].get("namespace", "") if kind.namespaced else ""
    found = store.find(Target(kind, namespace, owner["name"]))
    return found is not None and found["metadata"]["uid"] == owner["uid"]


def empty_namespace(store: Store, namespace: Object) -> None:
    """What is in a namespace that is being deleted goes; then the namespace is let go."""
    if not is_being_deleted(namespace):
        return
    name = namespace["metadata"]["name"]
    inside = [
        target_of(kind, stored)
        for kind in KINDS
        if kind.namespaced
        for stored in store.all(kind)
        if stored["metadata"]["namespace"] == name
    ]
    left = [target for target in inside if not store.delete(target, _AT_ONCE)[1]]
    if not left and namespace["spec"].get("finalizers"):
        store.update(target_of(NAMESPACES, namespace, "finalize"), {**namespace, "spec": {}})


GARBAGE_STEPS = (*(Step(kind, collect_orphan) for kind in KINDS), Step(NAMESPACES, empty_namespace))
