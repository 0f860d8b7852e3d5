"""Kubernetes YAML as users write it, and the claims, classes and taint rules that are in it.

Strict: an unknown field is named, since it is most often a typo. A document that says nothing about
claims (a Deployment, a Namespace) is set aside, not an error.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, TypeVar

import msgspec
import yaml

from slicewire.common.model import (
    POD_CLAIM_NAME,
    DeviceClass,
    DeviceTaintRule,
    ObjectMeta,
    ResourceClaim,
    ResourceClaimTemplate,
    wire,
)
from slicewire.common.model.struct import Object

T = TypeVar("T", bound=Object)
API_VERSIONS = ("resource.k8s.io/v1", "resource.k8s.io/v1beta2")
"""v1beta2 is v1 field for field; v1beta1 has another shape."""
_VERSIONS = {"DeviceTaintRule": (*API_VERSIONS, "resource.k8s.io/v1alpha3")}
"""Of kinds that stayed as they were for longer."""


class BadDocument(ValueError):
    """A document cannot be used; the message names the document, the field and the value."""


class PodClaim(Object, frozen=True):
    name: str
    resource_claim_name: str = ""
    resource_claim_template_name: str = ""


class PodSpec(Object, frozen=True):
    resource_claims: tuple[PodClaim, ...] = ()


class Pod(Object, frozen=True):
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: PodSpec = msgspec.field(default_factory=PodSpec)


class Documents(msgspec.Struct, frozen=True, kw_only=True):
    """What one file holds, in its order. `set_aside` names what says nothing about claims."""

    classes: tuple[DeviceClass, ...] = ()
    claims: tuple[ResourceClaim, ...] = ()
    templates: tuple[ResourceClaimTemplate, ...] = ()
    pods: tuple[Pod, ...] = ()
    taint_rules: tuple[DeviceTaintRule, ...] = ()
    set_aside: tuple[str, ...] = ()


class Group(msgspec.Struct, frozen=True):
    """Claims that are allocated together. `known` names those of the group that the file does not hold."""

    owner: str
    claims: tuple[ResourceClaim, ...]
    known: tuple[str, ...] = ()


def read(text: str, source: str) -> Documents:
    """Raises `BadDocument`."""
    try:
        documents = [document for document in yaml.safe_load_all(text) if document is not None]
    except _NOT_YAML as error:
        raise BadDocument(f"{source} is not YAML: {error}") from error
    found: dict[str, list[Any]] = {kind: [] for kind in (*_KINDS, "Pod", "")}
    for number, document in enumerate(documents, 1):
        for where, item in _items(document, f"{source}, document {number}"):
            kind, value = _read_one(item, where)
            found[kind].append(value)
    return Documents(
        classes=tuple(found["DeviceClass"]),
        claims=tuple(found["ResourceClaim"]),
        templates=tuple(found["ResourceClaimTemplate"]),
        pods=tuple(found["Pod"]),
        taint_rules=tuple(found["DeviceTaintRule"]),
        set_aside=tuple(found[""]),
    )


# PyYAML's own constructors let all of these through: month 13, `!!int x`, `!!bool x`, `!!timestamp x`, depth.
_NOT_YAML = (yaml.YAMLError, ValueError, KeyError, AttributeError, RecursionError)
_MOST_VALUES = 100_000
"""Aliases (`*name`) let a page of text stand for more values than there is memory for."""
_BOOKKEEPING = ("managedFields", "selfLink", "deletionGracePeriodSeconds")
_CLUSTER_WIDE = ("DeviceClass", "DeviceTaintRule")
_KINDS: dict[str, type[Object]] = {
    "DeviceClass": DeviceClass,
    "DeviceTaintRule": DeviceTaintRule,
    "ResourceClaim": ResourceClaim,
    "ResourceClaimTemplate": ResourceClaimTemplate,
}


def _refuse_a_bomb(document: Any) -> None:
    """Counts what is there once every alias is written out, and stops early."""
    left, waiting = _MOST_VALUES, [document]
    while waiting and left >= 0:
        value = waiting.pop()
        inner = (*value.keys(), *value.values()) if isinstance(value, dict) else value
        if isinstance(inner, list | tuple | set):
            left -= len(inner)
            waiting += [item for item in inner if isinstance(item, dict | list | tuple | set)]
    if left < 0:
        raise wire.Malformed(f"with its aliases written out it has more than {_MOST_VALUES} values")


def _items(document: Any, where: str) -> Iterator[tuple[str, Any]]:
    """What a `List` holds, as `kubectl get -o yaml` prints several; anything else is one by itself."""
    items = (
        document.get("items") if isinstance(document, Mapping) and document.get("kind") == "List" else None
    )
    if not isinstance(items, list):
        yield where, document
        return
    for number, item in enumerate(items, 1):
        yield f"{where}, item {number}", item


def _read_one(document: Any, where: str) -> tuple[str, Any]:
    if not isinstance(document, Mapping) or not isinstance(document.get("kind"), str):
        raise BadDocument(f"{where}: not a Kubernetes object, it has no kind")
    kind, version = document["kind"], document.get("apiVersion")
    if kind != "Pod" and kind not in _KINDS:
        meta = document.get("metadata")
        return "", f"{kind}/{meta.get('name', '') if isinstance(meta, Mapping) else ''}"
    try:
        _refuse_a_bomb(document)
        plain = _as_json(document)
        if kind == "Pod":
            return kind, _in_namespace(wire.convert(plain, Pod))
        known = _VERSIONS.get(kind, API_VERSIONS)
        if version not in known:
            raise BadDocument(f"{where}: apiVersion {version!r} of {kind} is not one of {', '.join(known)}")
        value = wire.strictly(_without_bookkeeping(plain), _KINDS[kind])
        return kind, _named(value) if kind in _CLUSTER_WIDE else _in_namespace(value)
    except (wire.Malformed, RecursionError) as error:
        raise BadDocument(f"{where} ({kind}): {error}") from error


def _without_bookkeeping(plain: dict[str, Any]) -> dict[str, Any]:
    """Without what the API server adds to metadata for itself, so that what it printed can be read."""
    meta = plain.get("metadata")
    if not isinstance(meta, dict):
        return plain
    kept = {name: value for name, value in meta.items() if name not in _BOOKKEEPING}
    return {**plain, "metadata": kept}


def _as_json(value: Any) -> Any:
    """YAML turns a bare timestamp into a date, where the API has text; what JSON cannot say is refused."""
    match value:
        case Mapping():
            return {str(key): _as_json(item) for key, item in value.items()}
        case list():
            return [_as_json(item) for item in value]
        case date():
            return value.isoformat()
        case None | bool() | int():
            return value
        case float() if math.isfinite(value):
            return value
        case str() if value.isascii() or not any("\ud800" <= sign <= "\udfff" for sign in value):
            return value
    raise wire.Malformed(f"{value!r} cannot be said in JSON")


def _named(value: Any) -> Any:
    if not value.metadata.name:
        raise wire.Malformed("metadata.name is missing")
    return value


def _in_namespace(value: Any) -> Any:
    meta = _named(value).metadata
    namespace = meta.namespace or "default"
    return msgspec.structs.replace(value, metadata=msgspec.structs.replace(meta, namespace=namespace))


def groups(documents: Documents) -> tuple[Group, ...]:
    """The claims of each pod together, as Kubernetes would make them from its templates, then the
    claims that no pod names, each alone. Raises `BadDocument` for a template that is not there."""
    claims = {claim.label: claim for claim in documents.claims}
    used: set[str] = set()
    found = []
    for pod in documents.pods:
        group = _of_pod(pod, claims, documents.templates)
        used |= {claim.label for claim in group.claims}
        found.append(group)
    alone = [Group(f"claim {label}", (claim,)) for label, claim in claims.items() if label not in used]
    return tuple(group for group in found if group.claims or group.known) + tuple(alone)


def _of_pod(
    pod: Pod, claims: Mapping[str, ResourceClaim], templates: Sequence[ResourceClaimTemplate]
) -> Group:
    made, known = [], []
    namespace = pod.metadata.namespace
    for entry in pod.spec.resource_claims:
        if bool(entry.resource_claim_name) == bool(entry.resource_claim_template_name):
            raise BadDocument(
                f"pod {namespace}/{pod.metadata.name}: spec.resourceClaims {entry.name!r} must name either a"
                " resourceClaimName or a resourceClaimTemplateName"
            )
        label = f"{namespace}/{entry.resource_claim_name}"
        if entry.resource_claim_template_name:
            made.append(_from_template(pod, entry, templates))
        elif label in claims:
            made.append(claims[label])
        else:
            known.append(label)
    return Group(f"pod {namespace}/{pod.metadata.name}", tuple(made), tuple(known))


def _from_template(pod: Pod, entry: PodClaim, templates: Sequence[ResourceClaimTemplate]) -> ResourceClaim:
    namespace, wanted = pod.metadata.namespace, entry.resource_claim_template_name
    for template in templates:
        if (template.metadata.namespace, template.metadata.name) == (namespace, wanted):
            inner = template.spec.metadata
            meta = ObjectMeta(
                name=f"{pod.metadata.name}-{entry.name}",
                namespace=namespace,
                labels=inner.labels,
                annotations={**inner.annotations, POD_CLAIM_NAME: entry.name},
            )
            return ResourceClaim(metadata=meta, spec=template.spec.spec)
    raise BadDocument(
        f"pod {namespace}/{pod.metadata.name}: spec.resourceClaims {entry.name!r} names the template"
        f" {wanted!r}, which is not in the file"
    )


def with_uid(claim: ResourceClaim, uid: str = "") -> ResourceClaim:
    """The claim under this UID, or a new one."""
    meta = msgspec.structs.replace(claim.metadata, uid=uid or str(uuid.uuid4()))
    return msgspec.structs.replace(claim, metadata=meta)


def every_claim(documents: Documents) -> Iterator[ResourceClaim]:
    """Each once, though two pods may share it."""
    found = {claim.label: claim for group in groups(documents) for claim in group.claims}
    yield from found.values()
