"""Lists in pages, each page of the same revision, and what a watch sees of a change."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.kubeapi.history import Change, Compacted, History, Key, Object, revised
from tests.kubeapi.selectors import Selection
from tests.kubeapi.statuses import bad_request, expired, too_large_version

Event = tuple[str, Object]
"""A type (ADDED, MODIFIED, DELETED, BOOKMARK, ERROR) and its object."""


@dataclass(frozen=True)
class Page:
    """Which part of a list, and how new: at least `revision`, or `exact`ly that."""

    limit: int = 0
    token: str = ""
    revision: int = 0
    exact: bool = False


@dataclass(frozen=True)
class Listing:
    items: tuple[Object, ...]
    revision: int
    token: str = ""
    remaining: int | None = None


def list_page(history: History, selection: Selection, page: Page) -> Listing:
    revision, after = _start(history, page)
    objects = _objects_at(history, selection, revision)
    found = [objects[key] for key in sorted(objects) if key > after and selection.admits(objects[key])]
    if not page.limit or len(found) <= page.limit:
        return Listing(tuple(found), revision)
    shown = found[: page.limit]
    metadata = shown[-1]["metadata"]
    token = _write_token(revision, (metadata.get("namespace", ""), metadata["name"]))
    remaining = None if selection.is_filtered else len(found) - page.limit
    return Listing(tuple(shown), revision, token, remaining)


def _start(history: History, page: Page) -> tuple[int, Key]:
    if page.token:
        return _read_token(page.token)
    if page.revision > history.revision:
        raise too_large_version(page.revision, history.revision)
    return (page.revision if page.exact else history.revision), ("", "")


def _objects_at(history: History, selection: Selection, revision: int) -> Mapping[Key, Object]:
    if revision == history.revision:
        return history.objects(selection.kind)
    try:
        return history.as_of(selection.kind, revision)
    except Compacted as gone:
        raise expired(
            "The provided continue parameter is too old to display a consistent list result. You must start a"
            " new list without the continue parameter."
        ) from gone


def _write_token(revision: int, key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps([revision, *key]).encode()).decode()


def _read_token(token: str) -> tuple[int, Key]:
    try:
        revision, namespace, name = json.loads(base64.urlsafe_b64decode(token))
    except (binascii.Error, ValueError) as bad:
        raise bad_request(f"continue key is not valid: {token!r}") from bad
    return int(revision), (str(namespace), str(name))


def as_seen(change: Change, selection: Selection) -> Event | None:
    """A change as one watcher sees it: leaving its selection is a deletion, entering it an addition."""
    before = selection.admits(change.before)
    after = not change.removed and selection.admits(change.after)
    match before, after:
        case False, True:
            return "ADDED", change.after
        case True, True:
            return "MODIFIED", change.after
        case True, False if change.removed:
            return "DELETED", change.after
        case True, False:
            assert change.before is not None
            return "DELETED", revised(change.before, change.revision)
    return None


def seen_after(history: History, selection: Selection, revision: int) -> Iterator[Event]:
    """The events after a revision. Raises the 410 of a revision that was compacted."""
    try:
        changes = history.changes_after(selection.kind, revision)
    except Compacted as gone:
        raise expired(f"too old resource version: {revision} ({history.compacted})") from gone
    for change in changes:
        if event := as_seen(change, selection):
            yield event


def bookmark(selection: Selection, revision: int, *, ends_initial_events: bool = False) -> Event:
    """Progress without news: everything up to this revision has been sent."""
    annotations = {"annotations": {"k8s.io/initial-events-end": "true"}} if ends_initial_events else {}
    metadata = {"resourceVersion": str(revision), **annotations}
    return "BOOKMARK", {**selection.kind.header(), "metadata": metadata}
