"""What must be written so that the stored slices of a pool are the desired ones. Pure.

The rules are those of the upstream ResourceSlice controller: the index in a slice's name is its
identity, and readers ignore a pool until all slices of its newest generation are there.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from slicewire.common.model import ResourceSlice, ResourceSliceSpec
from slicewire.publisher.core.slices import index_of
from slicewire.publisher.core.taints import TaintTimes, is_same_device, taint_times, with_times


class Create(msgspec.Struct, frozen=True):
    slice: ResourceSlice


class Update(msgspec.Struct, frozen=True):
    """`slice` carries the name, UID and version of the stored one."""

    slice: ResourceSlice


class Delete(msgspec.Struct, frozen=True):
    name: str
    uid: str
    resource_version: str
    reason: str


Change = Create | Update | Delete


def difference(desired: Sequence[ResourceSlice], actual: Sequence[ResourceSlice]) -> tuple[Change, ...]:
    """Deletions, then updates, then creations: nothing when the content is the same already.

    `actual` is everything stored of the pool; nothing desired means that the pool has to go.
    """
    newest = max((found.spec.pool.generation for found in actual), default=0)
    kept, deletions = _sorted_out(desired, actual, newest)
    missing = [index for index in range(len(desired)) if index not in kept]
    changed = [index for index, stored in kept.items() if not _is_same(desired[index], stored)]
    bumped = bool(missing) or len(changed) > 1
    generation = newest + 1 if bumped else newest
    times = taint_times((*sorted(actual, key=_age), *kept.values()))
    wanted = [_published(found, generation, times) for found in desired]
    return (
        *deletions,
        *(Update(_stored_as(wanted[index], kept[index])) for index in sorted(kept if bumped else changed)),
        *(Create(wanted[index]) for index in missing),
    )


def _sorted_out(
    desired: Sequence[ResourceSlice], actual: Sequence[ResourceSlice], newest: int
) -> tuple[dict[int, ResourceSlice], tuple[Delete, ...]]:
    """Stored slices by index, and the deletion of those that are in nobody's place."""
    kept: dict[int, ResourceSlice] = {}
    deletions = []
    for found in sorted(actual, key=lambda item: item.metadata.name):
        match _place(found, desired, newest):
            case str(reason):
                deletions.append(_delete(found, reason))
            case index if index in kept:
                deletions.append(_delete(found, f"duplicate of {kept[index].metadata.name}"))
            case index:
                kept[index] = found
    return kept, tuple(deletions)


def _place(found: ResourceSlice, desired: Sequence[ResourceSlice], newest: int) -> int | str:
    """The index whose slice this is, or why it cannot stay."""
    if not desired:
        return "pool is not wanted"
    first, generation = desired[0], found.spec.pool.generation
    index = index_of(found.metadata.name, first.spec.driver, first.spec.node_name or "")
    if index is None:
        return "name of another scheme, driver or node"
    if generation < newest:
        return f"generation {generation} is older than {newest}"
    if index >= len(desired) or _width(found.metadata.name) != _width(first.metadata.generate_name):
        return f"index {index} is not wanted"
    if _immutable(found) != _immutable(desired[index]):
        return "driver, pool or node differs, and cannot be changed"
    return index


def _width(name: str) -> int:
    """Of the index that the name begins with."""
    return name.index("-")


def _immutable(found: ResourceSlice) -> tuple[str, str, str | None]:
    return (found.spec.driver, found.spec.pool.name, found.spec.node_name)


def _age(found: ResourceSlice) -> tuple[int, str]:
    return (found.spec.pool.generation, found.metadata.name)


def _delete(found: ResourceSlice, reason: str) -> Delete:
    return Delete(found.metadata.name, found.metadata.uid, found.metadata.resource_version, reason)


def _is_same(wanted: ResourceSlice, stored: ResourceSlice) -> bool:
    """By meaning: quantities by amount, absent lists as empty ones, device order as it is."""
    devices, published = wanted.spec.devices, stored.spec.devices
    return (
        len(devices) == len(published)
        and all(map(is_same_device, devices, published))
        and _without_devices(wanted) == _without_devices(stored)
        and wanted.metadata.owner_references == stored.metadata.owner_references
    )


def _without_devices(found: ResourceSlice) -> ResourceSliceSpec:
    pool = msgspec.structs.replace(found.spec.pool, generation=0)
    return msgspec.structs.replace(found.spec, pool=pool, devices=())


def _published(wanted: ResourceSlice, generation: int, times: TaintTimes) -> ResourceSlice:
    pool = msgspec.structs.replace(wanted.spec.pool, generation=generation)
    devices = tuple(with_times(device, times) for device in wanted.spec.devices)
    return msgspec.structs.replace(
        wanted, spec=msgspec.structs.replace(wanted.spec, pool=pool, devices=devices)
    )


def _stored_as(wanted: ResourceSlice, stored: ResourceSlice) -> ResourceSlice:
    """The wanted content on the stored object: what others wrote beside it stays."""
    meta = msgspec.structs.replace(stored.metadata, owner_references=wanted.metadata.owner_references)
    return msgspec.structs.replace(wanted, metadata=meta)
