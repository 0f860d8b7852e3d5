"""What must be written so that the stored slices of a pool are the desired ones. Pure.

The rules are those of the upstream ResourceSlice controller: the index in a slice's name is its
identity, and readers ignore a pool until all slices of its newest generation are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from slicewire.common.model import Device, DeviceTaint, ResourceSlice
from slicewire.publisher.core.slices import index_of


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
_Matched = tuple[ResourceSlice, ResourceSlice | None]


def difference(desired: Sequence[ResourceSlice], actual: Sequence[ResourceSlice]) -> tuple[Change, ...]:
    """Deletions, then updates, then creations: nothing when the content is the same already."""
    newest = max((found.spec.pool.generation for found in actual), default=0)
    kept, deletions = _classified(desired, actual, newest)
    matched = [(_adopting(wanted, kept.get(index)), kept.get(index)) for index, wanted in enumerate(desired)]
    missing = [wanted for wanted, stored in matched if stored is None]
    changed = [(wanted, stored) for wanted, stored in matched if stored and not _same(wanted, stored)]
    generation = newest if newest and not missing and len(changed) <= 1 else newest + 1
    updates = changed if generation == newest else [pair for pair in matched if pair[1]]
    return (
        *deletions,
        *(Update(_stored_as(wanted, stored, generation)) for wanted, stored in updates if stored),
        *(Create(_of_generation(wanted, generation)) for wanted in missing),
    )


def _classified(
    desired: Sequence[ResourceSlice], actual: Sequence[ResourceSlice], newest: int
) -> tuple[dict[int, ResourceSlice], tuple[Delete, ...]]:
    """Stored slices by index, and those that are in nobody's place."""
    kept: dict[int, ResourceSlice] = {}
    deletions = []
    for found in sorted(actual, key=lambda item: item.metadata.name):
        reason, index = _place(found, desired, newest)
        if index in kept:
            reason = f"duplicate of {kept[index].metadata.name}"
        if reason:
            meta = found.metadata
            deletions.append(Delete(meta.name, meta.uid, meta.resource_version, reason))
        else:
            kept[index] = found
    return kept, tuple(deletions)


def _place(found: ResourceSlice, desired: Sequence[ResourceSlice], newest: int) -> tuple[str, int]:
    """(why it cannot stay or "", its index)."""
    if not desired:
        return "pool is not wanted", -1
    node = desired[0].spec.node_name or ""
    place = index_of(found.metadata.name, found.spec.driver, node)
    if place is None:
        return "name of another scheme", -1
    index, width = place
    if found.spec.pool.generation < newest:
        return f"generation {found.spec.pool.generation} is older than {newest}", index
    if index >= len(desired) or width != desired[0].metadata.generate_name.index("-"):
        return f"index {index} is not wanted", index
    wanted = desired[index].spec
    if (found.spec.driver, found.spec.pool.name, found.spec.node_name) != (
        wanted.driver,
        wanted.pool.name,
        wanted.node_name,
    ):
        return "driver, pool or node differs, and cannot be changed", index
    return "", index


def _same(wanted: ResourceSlice, stored: ResourceSlice) -> bool:
    """By meaning: quantities by amount, absent lists as empty ones, device order as it is."""
    pool = stored.spec.pool
    spec = msgspec.structs.replace(
        wanted.spec, pool=msgspec.structs.replace(wanted.spec.pool, generation=pool.generation)
    )
    return spec == stored.spec and wanted.metadata.owner_references == stored.metadata.owner_references


def _adopting(wanted: ResourceSlice, stored: ResourceSlice | None) -> ResourceSlice:
    """The wanted slice with the times that the server gave to taints that are the same."""
    if stored is None:
        return wanted
    known = {device.name: device for device in stored.spec.devices}
    devices = tuple(
        _with_times(device, known[device.name]) if device.name in known else device
        for device in wanted.spec.devices
    )
    return msgspec.structs.replace(wanted, spec=msgspec.structs.replace(wanted.spec, devices=devices))


def _with_times(device: Device, stored: Device) -> Device:
    times = {(taint.key, taint.value, taint.effect): taint.time_added for taint in stored.taints}
    taints = tuple(_with_time(taint, times) for taint in device.taints)
    return msgspec.structs.replace(device, taints=taints) if taints != device.taints else device


def _with_time(taint: DeviceTaint, times: dict[tuple[str, str, str], str | None]) -> DeviceTaint:
    """The server keeps whole seconds and sets what is missing: a second apart is the same time."""
    stored = times.get((taint.key, taint.value, taint.effect))
    if stored is None or (taint.time_added and not _about_equal(taint.time_added, stored)):
        return taint
    return msgspec.structs.replace(taint, time_added=stored)


def _about_equal(one: str, other: str) -> bool:
    seconds = datetime.fromisoformat(one) - datetime.fromisoformat(other)
    return abs(seconds.total_seconds()) <= 1


def _of_generation(wanted: ResourceSlice, generation: int) -> ResourceSlice:
    pool = msgspec.structs.replace(wanted.spec.pool, generation=generation)
    return msgspec.structs.replace(wanted, spec=msgspec.structs.replace(wanted.spec, pool=pool))


def _stored_as(wanted: ResourceSlice, stored: ResourceSlice, generation: int) -> ResourceSlice:
    """The wanted content on the stored object: what others wrote beside it stays."""
    meta = msgspec.structs.replace(stored.metadata, owner_references=wanted.metadata.owner_references)
    return msgspec.structs.replace(_of_generation(wanted, generation), metadata=meta)
