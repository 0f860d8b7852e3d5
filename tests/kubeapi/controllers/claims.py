"""The stand-in for the resource claim controller: claims from templates, and their end with their pods.

It allocates nothing; it only takes back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.kubeapi.controllers.objects import (
    DELETE_PROTECTION,
    POD_CLAIM_NAME,
    Step,
    is_being_deleted,
    is_owned_by,
    needs_its_claims,
    pod_named,
)
from tests.kubeapi.kinds import CLAIM_TEMPLATES, CLAIMS, PODS
from tests.kubeapi.requests import Write
from tests.kubeapi.store import Store, target_of
from tests.kubeapi.targets import Target

Object = Mapping[str, Any]
_WRITE = Write(manager="resourceclaim-controller")


def make_claims(store: Store, pod: Object) -> None:
    """A claim for each template the pod names, recorded in the pod's status."""
    if not needs_its_claims(pod) or is_being_deleted(pod):
        return
    statuses = {each["name"]: each for each in pod["status"].get("resourceClaimStatuses", ())}
    made = {}
    for entry in pod["spec"].get("resourceClaims", ()):
        template = entry.get("resourceClaimTemplateName")
        if template is None or entry["name"] in statuses:
            continue
        claim = _made_before(store, pod, entry["name"]) or _make_claim(store, pod, entry["name"], template)
        if claim is not None:
            made[entry["name"]] = {"name": entry["name"], "resourceClaimName": claim["metadata"]["name"]}
    if made:
        status = {**pod["status"], "resourceClaimStatuses": [*statuses.values(), *made.values()]}
        store.update(target_of(PODS, pod, "status"), {**pod, "status": status}, _WRITE)


def _made_before(store: Store, pod: Object, entry: str) -> Object | None:
    """The claim of an earlier run that did not get to the pod's status."""
    for claim in store.all(CLAIMS):
        annotations = claim["metadata"].get("annotations", {})
        if is_owned_by(claim, pod["metadata"]["uid"]) and annotations.get(POD_CLAIM_NAME) == entry:
            return claim
    return None


def _make_claim(store: Store, pod: Object, entry: str, template_name: str) -> Object | None:
    """None while there is no such template: the pod waits for it."""
    metadata = pod["metadata"]
    template = store.find(Target(CLAIM_TEMPLATES, metadata["namespace"], template_name))
    if template is None:
        return None
    wanted = template["spec"].get("metadata", {})
    owner = {
        "apiVersion": "v1",
        "kind": "Pod",
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    claim = {
        "metadata": {
            "generateName": f"{metadata['name']}-{entry}-",
            "labels": wanted.get("labels", {}),
            "annotations": {**wanted.get("annotations", {}), POD_CLAIM_NAME: entry},
            "ownerReferences": [owner],
        },
        "spec": template["spec"].get("spec", {}),
    }
    return store.create(Target(CLAIMS, metadata["namespace"]), claim, _WRITE)


def release_claim(store: Store, claim: Object) -> None:
    """Reservations of pods that ended are taken back; a claim nobody holds any more is deallocated.

    Only a protected one: the finalizer says that clearing its allocation is all there is to do.
    """
    reserved = claim.get("status", {}).get("reservedFor", [])
    kept = [each for each in reserved if _still_counts(store, claim, each)]
    is_protected = DELETE_PROTECTION in _finalizers(claim)
    if is_protected and not kept and (reserved or is_being_deleted(claim)):
        _deallocate(store, claim)
    elif len(kept) < len(reserved):
        status = {**claim["status"], "reservedFor": kept}
        store.update(target_of(CLAIMS, claim, "status"), {**claim, "status": status}, _WRITE)


def _still_counts(store: Store, claim: Object, consumer: Object) -> bool:
    if consumer.get("resource") != "pods":
        return True
    pod = pod_named(store, claim["metadata"]["namespace"], consumer["name"], consumer["uid"])
    return pod is not None and needs_its_claims(pod)


def _finalizers(claim: Object) -> list[str]:
    return list(claim["metadata"].get("finalizers", ()))


def _deallocate(store: Store, claim: Object) -> None:
    """Allocation and reservations go in one write, the protection in the next."""
    kept = {key: each for key, each in claim["status"].items() if key not in {"allocation", "reservedFor"}}
    freed = store.update(target_of(CLAIMS, claim, "status"), {**claim, "status": kept}, _WRITE)
    _unprotect(store, freed)


def _unprotect(store: Store, claim: Object) -> None:
    finalizers = [each for each in _finalizers(claim) if each != DELETE_PROTECTION]
    metadata = {**claim["metadata"], "finalizers": finalizers}
    store.update(target_of(CLAIMS, claim), {**claim, "metadata": metadata}, _WRITE)


def delete_claim_of_ended_pod(store: Store, claim: Object) -> None:
    """A claim made for a pod goes when that pod has ended, even while the pod is still shown."""
    metadata = claim["metadata"]
    if POD_CLAIM_NAME not in metadata.get("annotations", {}) or is_being_deleted(claim):
        return
    for owner in metadata.get("ownerReferences", ()):
        pod = pod_named(store, metadata["namespace"], owner["name"], owner["uid"])
        if pod is not None and not needs_its_claims(pod):
            store.delete(target_of(CLAIMS, claim))
            return


CLAIM_STEPS = (
    Step(PODS, make_claims),
    Step(CLAIMS, release_claim),
    Step(CLAIMS, delete_claim_of_ended_pod),
)
