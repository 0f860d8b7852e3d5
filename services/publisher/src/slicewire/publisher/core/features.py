"""What a server does not keep, and what to publish to it instead. Pure.

A feature gate that is off drops its fields without a word (a list attribute: the whole slice is refused).
What is published instead never promises more than it holds: a device that must not be given away freely is
left out where its taint cannot be said, and partitions where their counters cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum

import msgspec

from slicewire.common.model import CounterSet, Device, DeviceAttribute, DeviceCapacity, ResourceSlice
from slicewire.publisher.core.slices import PoolWanted

_KEEPS_OFF = frozenset({"NoSchedule", "NoExecute"})


class Feature(StrEnum):
    """By the name of its gate."""

    TAINTS = "DRADeviceTaints"
    PARTITIONS = "DRAPartitionableDevices"
    LISTS = "DRAListTypeAttributes"
    SHARES = "DRAConsumableCapacity"


Features = frozenset[Feature]


def lacking(desired: Iterable[ResourceSlice], kept: Iterable[ResourceSlice]) -> Features:
    """Features that what was sent uses, and what was kept of it does not."""
    return used(desired) - used(kept)


def used(slices: Iterable[ResourceSlice]) -> Features:
    specs = [found.spec for found in slices]
    devices = [device for spec in specs for device in spec.devices]
    found = {feature for feature, uses in _USES.items() if any(map(uses, devices))}
    return frozenset(found | ({Feature.PARTITIONS} if any(spec.shared_counters for spec in specs) else set()))


def without(wanted: PoolWanted, off: Features) -> PoolWanted:
    """The pool as a server can have it that lacks these features."""
    for feature in Feature:
        if feature in off:
            wanted = _WITHOUT[feature](wanted)
    return wanted


def _without_taints(wanted: PoolWanted) -> PoolWanted:
    kept_off = any(taint.effect in _KEEPS_OFF for taint in wanted.taints)
    devices = tuple(
        msgspec.structs.replace(device, taints=())
        for device in wanted.devices
        if not kept_off and not any(taint.effect in _KEEPS_OFF for taint in device.taints)
    )
    return msgspec.structs.replace(wanted, devices=devices, taints=())


def _without_partitions(wanted: PoolWanted) -> PoolWanted:
    """Of devices that draw from one counter set, one that draws all of it: nothing else fits beside it."""
    sets = {found.name: found for found in wanted.shared_counters}
    whole: dict[str, Device] = {}
    for device in wanted.devices:
        for name in (drawn.counter_set for drawn in device.consumes_counters):
            if name not in whole and _draws_all(device, sets.get(name)):
                whole[name] = device
    kept = {device.name for device in whole.values() if _is_alone(device)}
    devices = tuple(
        msgspec.structs.replace(device, consumes_counters=())
        for device in wanted.devices
        if not device.consumes_counters or device.name in kept
    )
    return msgspec.structs.replace(wanted, devices=devices, shared_counters=())


def _draws_all(device: Device, counters: CounterSet | None) -> bool:
    drawn = {each.counter_set: each.counters for each in device.consumes_counters}
    return counters is not None and drawn[counters.name] == counters.counters


def _is_alone(device: Device) -> bool:
    """One that draws from two sets at once would need both of them whole."""
    return len(device.consumes_counters) == 1


def _without_lists(wanted: PoolWanted) -> PoolWanted:
    devices = tuple(
        msgspec.structs.replace(
            device,
            attributes={name: value for name, value in device.attributes.items() if not _is_list(value)},
        )
        for device in wanted.devices
    )
    return msgspec.structs.replace(wanted, devices=devices)


def _without_shares(wanted: PoolWanted) -> PoolWanted:
    """Whole devices instead of shares of them: fewer claims fit, and each holds what it was promised."""
    devices = tuple(
        msgspec.structs.replace(
            device,
            allow_multiple_allocations=None,
            capacity={name: DeviceCapacity(value=found.value) for name, found in device.capacity.items()},
        )
        for device in wanted.devices
    )
    return msgspec.structs.replace(wanted, devices=devices)


def _is_list(attribute: DeviceAttribute) -> bool:
    lists = (attribute.ints, attribute.bools, attribute.strings, attribute.versions)
    return any(values is not None for values in lists)


_USES: Mapping[Feature, Callable[[Device], bool]] = {
    Feature.TAINTS: lambda device: bool(device.taints),
    Feature.PARTITIONS: lambda device: bool(device.consumes_counters),
    Feature.LISTS: lambda device: any(map(_is_list, device.attributes.values())),
    Feature.SHARES: lambda device: bool(device.allow_multiple_allocations),
}
_WITHOUT: Mapping[Feature, Callable[[PoolWanted], PoolWanted]] = {
    Feature.TAINTS: _without_taints,
    Feature.PARTITIONS: _without_partitions,
    Feature.LISTS: _without_lists,
    Feature.SHARES: _without_shares,
}
