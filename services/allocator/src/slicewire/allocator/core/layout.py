"""What a node's devices are like, whichever devices they are: nodes that are alike share one layout.

Everything that is found out about it (which devices a selector selects, which values an attribute has,
what a budget allows) is found out once for all these nodes. Sets of devices are whole numbers: bit i
stands for the i-th device of the node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from weakref import WeakValueDictionary

from slicewire.allocator.core.features import Features
from slicewire.allocator.core.stock import Bank, Candidate, Layout, Member, Pool
from slicewire.common.model import Device, DeviceAttribute, DeviceID, wire

IDENTIFIERS = frozenset({"uuid", "parentUUID"})
"""Attributes that tell one device from all others. Layouts leave them out: no two nodes would be alike."""


class Layouts:
    """The layouts in use."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: WeakValueDictionary[object, Layout] = WeakValueDictionary()

    def of(self, pools: Iterable[Pool], features: Features) -> Layout:
        """Of the usable ones among the pools."""
        usable = tuple(pool for pool in pools if pool.is_usable)
        likeness = (features, tuple(tuple(map(_likeness, pool.devices)) for pool in usable))
        layout = self._known.get(likeness)
        if layout is None:
            layout = self._known[likeness] = _layout(usable, features)
        return layout


def _likeness(candidate: Candidate) -> tuple[object, ...]:
    device = candidate.device
    content = (
        device.name,
        {name: value for name, value in device.attributes.items() if not identifies(name, value)},
        device.capacity,
        device.consumes_counters,
        device.taints,
        device.binding_conditions,
        device.allow_multiple_allocations,
    )
    return candidate.pool_id.driver, candidate.shareable, candidate.in_reach, wire.encode(content)


def identifies(name: str, value: DeviceAttribute) -> bool:
    """Only as the text it should be: one of an unknown type makes every selector fail on the device."""
    return is_identifier(name) and value.string is not None


def is_identifier(name: str) -> bool:
    """Whatever its domain."""
    return name.rpartition("/")[2] in IDENTIFIERS


def _layout(pools: tuple[Pool, ...], features: Features) -> Layout:
    devices = tuple(candidate for pool in pools for candidate in pool.devices)
    places = {candidate.id: 1 << place for place, candidate in enumerate(devices)}

    def those(has: Callable[[Candidate], object]) -> int:
        return sum(places[candidate.id] for candidate in devices if has(candidate))

    everything = (1 << len(devices)) - 1
    judged = everything
    if not features.device_binding_and_status:
        judged &= ~those(lambda each: each.device.binding_conditions)
    possible = judged & those(lambda each: each.in_reach)
    if not features.partitionable_devices:
        possible &= ~those(lambda each: each.device.consumes_counters)
    return Layout(
        devices=devices,
        bits=tuple({each.device.name: places[each.id] for each in pool.devices} for pool in pools),
        banks=tuple(bank for at, pool in enumerate(pools) for bank in _banks(at, pool, places))
        if features.partitionable_devices
        else (),
        everything=everything,
        judged=judged,
        possible=possible,
        shareable=those(lambda each: each.shareable),
        tainted=those(lambda each: each.device.taints) if features.device_taints else 0,
    )


def _banks(at: int, pool: Pool, places: Mapping[DeviceID, int]) -> Iterator[Bank]:
    sharing: dict[tuple[str, ...], list[Candidate]] = {}
    for candidate in pool.devices:
        if candidate.draws:
            sharing.setdefault(_sets_of(candidate.device), []).append(candidate)
    for candidates in sharing.values():
        counters = tuple(dict.fromkeys(name for each in candidates for name in each.draws))
        place_of = {name: place for place, name in enumerate(counters)}
        members = tuple(
            Member(places[each.id], tuple((place_of[name], amount) for name, amount in each.draws.items()))
            for each in candidates
        )
        yield Bank(at, counters, members, sum(member.bit for member in members))


def _sets_of(device: Device) -> tuple[str, ...]:
    return tuple(sorted({consumption.counter_set for consumption in device.consumes_counters}))
