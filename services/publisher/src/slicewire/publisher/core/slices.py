"""A pool as Kubernetes wants it: cut into ResourceSlices, named by index, owned by the node. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from slicewire.common.model import (
    CounterSet,
    Device,
    DeviceName,
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
from slicewire.publisher.core.layout import cut

_SHORTEST_INDEX = 5
_INDEX = re.compile(rf"[0-9a-f]{{{_SHORTEST_INDEX},}}")
_RANDOM = re.compile(r"[a-z0-9]{5}")
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
    counters_apart: bool = True
    """As the server has it: see `layout`."""


def desired_slices(wanted: PoolWanted) -> tuple[ResourceSlice, ...]:
    """The slices of the pool, as `layout` cuts it.

    An empty pool is one empty slice. The generation is 0: it depends on what is stored.
    """
    contents = _contents(wanted)
    width = max(_SHORTEST_INDEX, len(f"{len(contents) - 1:x}"))
    pool = ResourcePool(name=wanted.pool, resource_slice_count=len(contents))
    return tuple(
        ResourceSlice(
            metadata=_metadata(wanted, f"{index:0{width}x}"), spec=msgspec.structs.replace(content, pool=pool)
        )
        for index, content in enumerate(contents)
    )


def left_out(wanted: PoolWanted, slices: Iterable[ResourceSlice]) -> tuple[DeviceName, ...]:
    """The devices of the pool that the slices have no room for."""
    published = {device.name for found in slices for device in found.spec.devices}
    return tuple(device.name for device in wanted.devices if device.name not in published)


def index_of(name: str, driver: str, owner: str) -> int | None:
    """The index in a slice's name; None for a name of another scheme, driver or owner."""
    index, _, _ = name.partition("-")
    if not _INDEX.fullmatch(index):
        return None
    base = f"{index}-{driver}-{owner}-"[:_MOST_GENERATED]
    if not name.startswith(base) or not _RANDOM.fullmatch(name, len(base)):
        return None
    return int(index, 16)


def _contents(wanted: PoolWanted) -> tuple[ResourceSliceSpec, ...]:
    empty = ResourceSliceSpec(
        driver=wanted.driver, pool=ResourcePool(name=wanted.pool), node_name=wanted.owner.name
    )
    devices = tuple(_with_taints(device, wanted.taints) for device in wanted.devices)
    return tuple(
        msgspec.structs.replace(empty, devices=some.devices, shared_counters=some.shared_counters)
        for some in cut(devices, wanted.shared_counters, counters_apart=wanted.counters_apart)
    )


def _metadata(wanted: PoolWanted, index: str) -> ObjectMeta:
    owner = OwnerReference(
        api_version="v1", kind="Node", name=wanted.owner.name, uid=wanted.owner.uid, controller=True
    )
    return ObjectMeta(
        generate_name=f"{index}-{wanted.driver}-{wanted.owner.name}-", owner_references=(owner,)
    )


def _with_taints(device: Device, taints: tuple[DeviceTaint, ...]) -> Device:
    """Each taint once, the device's own first: it may know since when it holds."""
    each: dict[tuple[str, str, str], DeviceTaint] = {}
    for taint in (*device.taints, *taints):
        each.setdefault((taint.key, taint.value, taint.effect), taint)
    return msgspec.structs.replace(device, taints=tuple(each.values()))
