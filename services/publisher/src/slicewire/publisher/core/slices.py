"""A pool as Kubernetes wants it: cut into ResourceSlices, named by index, owned by the node. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from slicewire.common.model import (
    CounterSet,
    Device,
    DeviceAttribute,
    DeviceTaint,
    DriverName,
    NodeName,
    ObjectMeta,
    OwnerReference,
    PoolName,
    ResourcePool,
    ResourceSlice,
    ResourceSliceSpec,
)

MOST_DEVICES = 128
MOST_ADVANCED_DEVICES = 64
"""Once any device of the slice has taints, consumes counters or has a list attribute."""
MOST_COUNTER_SETS = 8
_SHORTEST_INDEX = 5
_RANDOM_CHARACTERS = 5
_MOST_GENERATED = 58
"""The API server keeps this much of a generateName, and adds five characters of its own."""


class Owner(msgspec.Struct, frozen=True):
    name: NodeName
    uid: str


class PoolWanted(msgspec.Struct, frozen=True, kw_only=True):
    """What Kubernetes should show of a pool. `taints` are added to every device."""

    owner: Owner
    driver: DriverName
    pool: PoolName
    devices: tuple[Device, ...] = ()
    shared_counters: tuple[CounterSet, ...] = ()
    taints: tuple[DeviceTaint, ...] = ()


def desired_slices(wanted: PoolWanted) -> tuple[ResourceSlice, ...]:
    """The slices of the pool, counters first and apart (since Kubernetes 1.35), devices in order.

    An empty pool is one empty slice. The generation is 0: it depends on what is stored.
    """
    devices = tuple(_with_taints(device, wanted.taints) for device in wanted.devices)
    parts: list[dict[str, Any]] = [
        {"shared_counters": sets} for sets in _cut(wanted.shared_counters, MOST_COUNTER_SETS)
    ]
    parts += [{"devices": some} for some in _cut(devices, _most(devices))]
    parts = parts or [{}]
    width = max(_SHORTEST_INDEX, len(f"{len(parts) - 1:x}"))
    pool = ResourcePool(name=wanted.pool, resource_slice_count=len(parts))
    return tuple(
        ResourceSlice(
            metadata=_metadata(wanted, f"{index:0{width}x}"),
            spec=ResourceSliceSpec(driver=wanted.driver, pool=pool, node_name=wanted.owner.name, **part),
        )
        for index, part in enumerate(parts)
    )


def index_of(name: str, driver: str, owner: str) -> tuple[int, int] | None:
    """(index, its width) in a slice's name; None for a name of another scheme, driver or owner."""
    match = re.fullmatch(rf"([0-9a-f]{{{_SHORTEST_INDEX},}})-(.*)", name)
    if match is None:
        return None
    base = f"{match[1]}-{driver}-{owner}-"[:_MOST_GENERATED]
    random = name.removeprefix(base)
    if not name.startswith(base) or not re.fullmatch(rf"[a-z0-9]{{{_RANDOM_CHARACTERS}}}", random):
        return None
    return int(match[1], 16), len(match[1])


def _metadata(wanted: PoolWanted, index: str) -> ObjectMeta:
    owner = OwnerReference(
        api_version="v1", kind="Node", name=wanted.owner.name, uid=wanted.owner.uid, controller=True
    )
    return ObjectMeta(
        generate_name=f"{index}-{wanted.driver}-{wanted.owner.name}-", owner_references=(owner,)
    )


def _with_taints(device: Device, taints: tuple[DeviceTaint, ...]) -> Device:
    known = {(taint.key, taint.effect) for taint in device.taints}
    more = tuple(taint for taint in taints if (taint.key, taint.effect) not in known)
    return msgspec.structs.replace(device, taints=(*device.taints, *more)) if more else device


def _most(devices: Sequence[Device]) -> int:
    """One limit for the whole pool: a taint more must not move devices between all slices."""
    return MOST_ADVANCED_DEVICES if any(map(_is_advanced, devices)) else MOST_DEVICES


def _is_advanced(device: Device) -> bool:
    listed = any(map(_is_list, device.attributes.values()))
    return bool(device.taints or device.consumes_counters or listed)


def _is_list(attribute: DeviceAttribute) -> bool:
    return any((attribute.ints, attribute.bools, attribute.strings, attribute.versions))


def _cut(items: Sequence[Any], most: int) -> Iterator[tuple[Any, ...]]:
    for start in range(0, len(items), most):
        yield tuple(items[start : start + most])
