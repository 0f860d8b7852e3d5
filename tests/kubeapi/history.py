"""The revision log: what is stored now, what was stored at an earlier revision, and each change between.

Pure memory, no rules: every commit takes the next revision, and whoever listens is told after it. What
was compacted away can no longer be watched from or read.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.kubeapi.kinds import Kind

Object = Mapping[str, Any]
Key = tuple[str, str]
"""Namespace (empty for cluster scope) and name."""


@dataclass(frozen=True)
class Change:
    """One commit: `before` is None for a creation, `removed` says that `after` is its last state."""

    revision: int
    kind: Kind
    key: Key
    before: Object | None
    after: Object
    removed: bool = False


class Compacted(Exception):
    """The asked revision is older than what is kept."""


def key_of(stored: Object) -> Key:
    return stored["metadata"].get("namespace", ""), stored["metadata"]["name"]


def revised(stored: Object, revision: int) -> dict[str, Any]:
    return {**stored, "metadata": {**stored["metadata"], "resourceVersion": str(revision)}}


class History:
    """Objects by kind and key, with every change since the last compaction."""

    def __init__(self, keep: int = 100_000) -> None:
        self.revision = 1
        self.compacted = 0
        self._keep = keep
        self._objects: dict[Kind, dict[Key, Object]] = defaultdict(dict)
        self._changes: dict[Kind, list[Change]] = defaultdict(list)
        self._listeners: list[Callable[[Change], None]] = []

    def listen(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Tell `listener` of each commit, until the returned function is called."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def get(self, kind: Kind, key: Key) -> Object | None:
        return self._objects[kind].get(key)

    def objects(self, kind: Kind) -> Mapping[Key, Object]:
        return self._objects[kind]

    def put(self, kind: Kind, stored: Object) -> Object:
        key = key_of(stored)
        before = self._objects[kind].get(key)
        after = revised(stored, self.revision + 1)
        self._objects[kind][key] = after
        self._record(Change(self.revision + 1, kind, key, before, after))
        return after

    def remove(self, kind: Kind, key: Key) -> Object:
        before = self._objects[kind].pop(key)
        after = revised(before, self.revision + 1)
        self._record(Change(self.revision + 1, kind, key, before, after, removed=True))
        return after

    def changes_after(self, kind: Kind, revision: int) -> Sequence[Change]:
        """Raises `Compacted` when some of them are no longer known."""
        if revision < self.compacted:
            raise Compacted(revision)
        changes = self._changes[kind]
        return changes[bisect_right(changes, revision, key=lambda change: change.revision) :]

    def as_of(self, kind: Kind, revision: int) -> Mapping[Key, Object]:
        """What was stored at that revision: today's objects with the later changes undone."""
        objects = dict(self._objects[kind])
        for change in reversed(self.changes_after(kind, revision)):
            if change.before is None:
                objects.pop(change.key, None)
            else:
                objects[change.key] = change.before
        return objects

    def compact(self, revision: int | None = None) -> None:
        """Forget the changes up to and including a revision, by default all."""
        self.compacted = max(self.compacted, self.revision if revision is None else revision)
        for kind, changes in self._changes.items():
            kept = bisect_right(changes, self.compacted, key=lambda change: change.revision)
            self._changes[kind] = changes[kept:]

    def _record(self, change: Change) -> None:
        self.revision = change.revision
        changes = self._changes[change.kind]
        changes.append(change)
        if len(changes) > self._keep:
            self.compact(changes[len(changes) // 2].revision)
        for listener in tuple(self._listeners):
            listener(change)
