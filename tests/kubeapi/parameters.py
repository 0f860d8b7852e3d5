"""What a query string asks for, read into values; what cannot be read is refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.kubeapi.listing import Page
from tests.kubeapi.requests import Deletion, Write
from tests.kubeapi.selectors import Selection, read_fields, read_labels
from tests.kubeapi.statuses import Refused, Subject, bad_request, invalid
from tests.kubeapi.targets import Target
from tests.kubeapi.validation.problems import forbidden, required, unsupported

Query = Mapping[str, str]
_TRUE = {"1", "t", "true"}
_MATCHES = frozenset({"Exact", "NotOlderThan"})


@dataclass(frozen=True)
class Watching:
    """From where a watch starts and what it wants besides events. No revision: from the present state."""

    selection: Selection
    revision: int
    bookmarks: bool
    initial_events: bool
    timeout_seconds: int


def is_true(query: Query, name: str) -> bool:
    return query.get(name, "").lower() in _TRUE


def whole(query: Query, name: str) -> int:
    text = query.get(name) or "0"
    if not text.isdecimal():
        raise bad_request(f"{name}: {text!r} is not a whole number")
    return int(text)


def read_selection(target: Target, query: Query) -> Selection:
    """A named target selects just that object, so that `…/NAME?watch=true` works."""
    labels = read_labels(query.get("labelSelector", ""))
    fields = query.get("fieldSelector", "")
    if target.name:
        fields = f"{fields},metadata.name={target.name}".lstrip(",")
    return Selection(target.kind, target.namespace, labels, read_fields(fields, target.kind))


def read_page(query: Query) -> Page:
    match = query.get("resourceVersionMatch", "")
    revision = whole(query, "resourceVersion")
    problems = []
    if match and match not in _MATCHES:
        problems.append(unsupported("resourceVersionMatch", match, _MATCHES))
    elif match and "resourceVersion" not in query:
        problems.append(
            forbidden(
                "resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided"
            )
        )
    elif match == "Exact" and not revision:
        problems.append(
            forbidden(
                "resourceVersionMatch", 'resourceVersionMatch "Exact" is forbidden for resourceVersion "0"'
            )
        )
    if problems:
        raise invalid(Subject("meta.k8s.io", "ListOptions"), problems)
    exact = match == "Exact" or (not match and bool(revision) and whole(query, "limit") > 0)
    return Page(whole(query, "limit"), query.get("continue", ""), revision, exact)


def read_watching(target: Target, query: Query) -> Watching:
    initial = is_true(query, "sendInitialEvents")
    if initial and query.get("resourceVersionMatch") != "NotOlderThan":
        told = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        raise invalid(Subject("meta.k8s.io", "ListOptions"), [forbidden("resourceVersionMatch", told)])
    revision = whole(query, "resourceVersion")
    return Watching(
        selection=read_selection(target, query),
        revision=0 if initial else revision,
        bookmarks=is_true(query, "allowWatchBookmarks"),
        initial_events=initial,
        timeout_seconds=whole(query, "timeoutSeconds"),
    )


def read_write(query: Query, user_agent: str) -> Write:
    if query.get("dryRun", "All") != "All":
        raise bad_request(f"dryRun: {query['dryRun']!r} is not All")
    return Write(
        manager=query.get("fieldManager") or user_agent.split("/", maxsplit=1)[0] or "unknown",
        dry_run=query.get("dryRun") == "All",
        strict=query.get("fieldValidation") == "Strict",
        force=is_true(query, "force"),
    )


def needs_manager(query: Query) -> Refused | None:
    """Server-side apply must say who applies."""
    if query.get("fieldManager"):
        return None
    return invalid(
        Subject("meta.k8s.io", "PatchOptions"), [required("fieldManager", "is required for apply patch")]
    )


def read_deletion(query: Query, body: Mapping[str, Any]) -> Deletion:
    preconditions = body.get("preconditions") or {}
    grace = body.get("gracePeriodSeconds")
    if grace is None and "gracePeriodSeconds" in query:
        grace = whole(query, "gracePeriodSeconds")
    return Deletion(
        uid=preconditions.get("uid") or "",
        resource_version=preconditions.get("resourceVersion") or "",
        grace_seconds=grace,
        dry_run="dryRun" in query or bool(body.get("dryRun")),
    )
