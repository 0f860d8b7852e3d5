"""How a pool is cut into ResourceSlices. Pure.

Counter sets come first and in slices of their own (Kubernetes 1.35 and later), the devices behind them in
the order they have. Where devices draw from counters, and where one slice would not hold all partitions,
each GPU has a slice to itself, so that what happens to one GPU changes one slice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec

from slicewire.common.model.counters import CounterSet
from slicewire.common.model.device import Device, DeviceAttribute

MOST_DEVICES = 128
MOST_ADVANCED_DEVICES = 64
"""Once any device of the slice has taints, consumes counters or has a list attribute."""
MOST_COUNTER_SETS = 8
_PCI_BUS_ID = "resource.kubernetes.io/pciBusID"

_T = TypeVar("_T")


class SliceContent(msgspec.Struct, frozen=True, kw_only=True):
    """What one slice holds: counter sets or devices."""

    devices: tuple[Device, ...] = ()
    shared_counters: tuple[CounterSet, ...] = ()


def cut_into_slices(
    devices: Sequence[Device], shared_counters: Sequence[CounterSet]
) -> tuple[SliceContent, ...]:
    """An empty pool is one empty slice."""
    counters = (SliceContent(shared_counters=sets) for sets in _cut(shared_counters, MOST_COUNTER_SETS))
    by_place = _by_place(devices)
    are_partitions = any(place and len(group) > 1 for place, group in by_place.items())
    apart = bool(shared_counters) or (are_partitions and len(devices) > MOST_ADVANCED_DEVICES)
    groups = by_place.values() if apart else [devices]
    most = MOST_ADVANCED_DEVICES if apart else _most(devices)
    published = (SliceContent(devices=some) for group in groups for some in _cut(group, most))
    return (*counters, *published) or (SliceContent(),)


def _by_place(devices: Sequence[Device]) -> Mapping[str, Sequence[Device]]:
    """By place on the bus, in order; those of no place (another driver's) are together."""
    groups: dict[str, list[Device]] = {}
    for device in devices:
        place = device.attributes.get(_PCI_BUS_ID, DeviceAttribute()).string or ""
        groups.setdefault(place, []).append(device)
    return groups


def _most(devices: Sequence[Device]) -> int:
    """One limit for the whole pool: a taint more must not move devices between all slices."""
    return MOST_ADVANCED_DEVICES if any(map(_is_advanced, devices)) else MOST_DEVICES


def _is_advanced(device: Device) -> bool:
    listed = any(map(_is_list, device.attributes.values()))
    return bool(device.taints or device.consumes_counters or listed)


def _is_list(attribute: DeviceAttribute) -> bool:
    lists = (attribute.ints, attribute.bools, attribute.strings, attribute.versions)
    return any(values is not None for values in lists)


def _cut(items: Sequence[_T], most: int) -> tuple[tuple[_T, ...], ...]:
    return tuple(tuple(items[start : start + most]) for start in range(0, len(items), most))
