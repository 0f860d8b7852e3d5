"""What is decided before an object is judged: does it decode, is it meant for this address, is there room
for it in its namespace, may it look at devices in use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.kubeapi.history import History
from tests.kubeapi.kinds import NAMESPACES
from tests.kubeapi.schema import WrongType, conform
from tests.kubeapi.statuses import Cause, bad_request, forbidden, not_found
from tests.kubeapi.strategy import ADMIN_LABEL, asks_admin_access, gets_admin_access
from tests.kubeapi.targets import Target
from tests.kubeapi.validation.problems import Problems
from tests.kubeapi.validation.problems import forbidden as forbidden_field

Object = Mapping[str, Any]


def conformed(target: Target, sent: Any, *, strict: bool = False) -> dict[str, Any]:
    """The sent object as its kind has it, at home under its address. Unknown fields refuse it if strict."""
    kind = target.kind
    if not isinstance(sent, Mapping):
        raise bad_request(f"the body is not a {kind.kind} object")
    check_header(target, sent)
    try:
        made = conform({**sent, **kind.header()}, kind.shape)
    except WrongType as wrong:
        told = f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {wrong}'
        raise bad_request(told) from wrong
    if strict and made.unknown:
        listed = ", ".join(f'unknown field "{field}"' for field in made.unknown)
        raise bad_request(f"strict decoding error: {listed}")
    stored: dict[str, Any] = made.value
    stored.setdefault("metadata", {})
    return _at_home(target, stored)


def check_header(target: Target, sent: Mapping[str, Any]) -> None:
    for field, wanted in target.kind.header().items():
        if sent.get(field) and sent[field] != wanted:
            raise bad_request(
                f"the {field} in the data ({sent[field]}) does not match the expected {field} ({wanted})"
            )


def _at_home(target: Target, stored: dict[str, Any]) -> dict[str, Any]:
    metadata = stored["metadata"]
    if metadata.get("namespace", target.namespace) != target.namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    if target.name and metadata.get("name", target.name) != target.name:
        raise bad_request(
            f"the name of the object ({metadata['name']}) does not match the name on the URL ({target.name})"
        )
    return stored


def admit(history: History, target: Target) -> None:
    """Whether its surroundings let a new object in."""
    if not target.namespace:
        return
    namespace = history.get(NAMESPACES, ("", target.namespace))
    if namespace is None:
        raise not_found(NAMESPACES.subject(target.namespace))
    if namespace["metadata"].get("deletionTimestamp"):
        told = f"namespace {target.namespace} is being terminated"
        cause = Cause("NamespaceTerminating", told, "metadata.namespace")
        why = f"unable to create new content in namespace {target.namespace} because it is being terminated"
        raise forbidden(target.subject, why, [cause])


def admin_problems(history: History, target: Target, old: Object | None, new: Object) -> Problems:
    """Looking at devices in use needs the namespace's label: when asked for, and when first allocated."""
    asks = asks_admin_access(target.kind, new) if old is None else gets_admin_access(old, new)
    namespace = history.get(NAMESPACES, ("", target.namespace)) if asks else None
    if namespace is not None and namespace["metadata"].get("labels", {}).get(ADMIN_LABEL) != "true":
        told = f"admin access to devices requires the `{ADMIN_LABEL}: true` label on the containing namespace"
        yield forbidden_field("", told)
