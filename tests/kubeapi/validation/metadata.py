"""What every object's metadata must satisfy, when created and when changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.kubeapi.validation.formats import dns_subdomain, label_key, label_value
from tests.kubeapi.validation.problems import Problems, forbidden, invalid, required, too_long

_ANNOTATIONS_MAX = 256 * 1024
_OWNER_FIELDS = ("apiVersion", "kind", "name", "uid")
_SET_BY_SERVER = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp")


def check_metadata(metadata: Mapping[str, Any]) -> Problems:
    if metadata.get("name"):
        yield from dns_subdomain(metadata["name"], "metadata.name")
    else:
        yield required("metadata.name", "name or generateName is required")
    for key, value in metadata.get("labels", {}).items():
        yield from label_key(key, "metadata.labels")
        yield from label_value(value, "metadata.labels")
    yield from _check_annotations(metadata.get("annotations", {}))
    for index, finalizer in enumerate(metadata.get("finalizers", ())):
        yield from label_key(finalizer, f"metadata.finalizers[{index}]")
    yield from _check_owners(metadata.get("ownerReferences", ()))


def _check_annotations(annotations: Mapping[str, str]) -> Problems:
    for key in annotations:
        yield from label_key(key.lower(), "metadata.annotations")
    if sum(len(key) + len(value) for key, value in annotations.items()) > _ANNOTATIONS_MAX:
        yield too_long("metadata.annotations", _ANNOTATIONS_MAX)


def _check_owners(owners: Any) -> Problems:
    for index, owner in enumerate(owners):
        for field in _OWNER_FIELDS:
            if not owner.get(field):
                yield invalid(f"metadata.ownerReferences[{index}].{field}", "", f"{field} must not be empty")
    controllers = [owner["name"] for owner in owners if owner.get("controller") and owner.get("name")]
    if len(controllers) > 1:
        told = f"Only one reference can have Controller set to true. Found {controllers!r}"
        yield invalid("metadata.ownerReferences", list(owners), told)


def check_metadata_change(old: Mapping[str, Any], new: Mapping[str, Any]) -> Problems:
    for field in _SET_BY_SERVER:
        if old.get(field) != new.get(field):
            yield invalid(f"metadata.{field}", new.get(field), "field is immutable")
    added = set(new.get("finalizers", ())) - set(old.get("finalizers", ()))
    if added and old.get("deletionTimestamp"):
        told = f"no new finalizers can be added if the object is being deleted, found {sorted(added)}"
        yield forbidden("metadata.finalizers", told)
