"""The slices that Kubernetes has, by pool: as the watch shows them, and as our own writes left them.

Mutable, owned by one event loop. An older version than the one known is old news.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from slicewire.common.model import NodeName, ResourceSlice
from slicewire.publisher.keys import PoolKey


def version_of(found: Any) -> int:
    """Resource versions of one resource are ordered numbers (Kubernetes 1.35 says so in its API)."""
    text = found.metadata.resource_version
    return int(text) if text.isdigit() else 0


def pool_of(found: ResourceSlice) -> PoolKey:
    return PoolKey(found.spec.node_name or NodeName(""), found.spec.driver)


class StoredSlices:
    def __init__(self) -> None:
        self._slices: dict[str, ResourceSlice] = {}
        self._pools: dict[PoolKey, dict[str, ResourceSlice]] = {}

    def keep(self, found: ResourceSlice) -> None:
        name = found.metadata.name
        known = self._slices.get(name)
        is_same = known is not None and known.metadata.uid == found.metadata.uid
        if is_same and version_of(found) < version_of(known):
            return
        self.drop(name)
        self._slices[name] = found
        self._pools.setdefault(pool_of(found), {})[name] = found

    def drop(self, name: str) -> None:
        known = self._slices.pop(name, None)
        if known is not None:
            pool = self._pools[pool_of(known)]
            del pool[name]
            if not pool:
                del self._pools[pool_of(known)]

    def of(self, key: PoolKey) -> tuple[ResourceSlice, ...]:
        """Of one pool, by name."""
        found = self._pools.get(key, {})
        return tuple(found[name] for name in sorted(found))

    def all(self) -> Iterable[ResourceSlice]:
        return self._slices.values()
