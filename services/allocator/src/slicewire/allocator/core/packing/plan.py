"""What of a node's devices never changes while they are published, and packing goes by.

A device's size, the groups it stands in, and the budget that it draws from with others. Worked out once
for a stock, and kept with it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, cast

import msgspec

from slicewire.allocator.core.counters import left_by
from slicewire.allocator.core.holdings import Amount, Usage
from slicewire.allocator.core.packing.budgets import SCALE, Budget, Left, budget
from slicewire.allocator.core.stock import Candidate, CounterName, Pool, Stock
from slicewire.common.model import Device, DeviceAttribute

GROUPING = frozenset({"pcieRoot", "numaNode", "nvlinkDomain", "cliqueId", "partition2", "partition4"})
"""Attributes, whatever their domain, whose equal value means that devices are near each other."""

Groups = tuple[DeviceAttribute | None, ...]
"""The groups that a device stands in, the widest first."""


class Family(msgspec.Struct, frozen=True, eq=False):
    """Devices of one pool that draw from the same counters: the partitions of one GPU."""

    pool: Pool
    names: tuple[CounterName, ...]
    budget: Budget
    groups: Groups

    def left(self, usage: Usage) -> Left:
        left = left_by(usage, self.pool)
        return tuple(left[name] for name in self.names)


class Traits(NamedTuple):
    """`size`: its capacity, out of `SCALE` for each kind, against the largest of the node."""

    size: int
    groups: Groups
    family: Family | None = None
    member: int = 0


class Plan(msgspec.Struct, frozen=True, eq=False):
    traits: Mapping[Candidate, Traits]
    families: tuple[Family, ...]
    singles: tuple[Candidate, ...]
    """Devices that draw on nothing."""
    largest: Mapping[str, Amount]
    """Of each kind of capacity, what the largest device of the node has."""

    def size(self, device: Device, used: Mapping[str, Amount]) -> int:
        """What is left of the device, in the measure of `Traits.size`."""
        return _size(device, self.largest, used)


def plan_of(stock: Stock) -> Plan:
    known = stock.recalled.get(Plan)
    if known is None:
        known = stock.recalled[Plan] = _planned(stock)
    return cast("Plan", known)


def _planned(stock: Stock) -> Plan:
    levels = _levels([candidate.device for candidate in stock.candidates])
    largest = _largest(stock.candidates)
    traits = {
        each: Traits(_size(each.device, largest), _groups(each.device, levels)) for each in stock.candidates
    }
    families: list[Family] = []
    for pool in stock.pools:
        for members in _kin(_drawing(pool)):
            family = _family(pool, members, traits[members[0]].groups)
            families.append(family)
            for at, member in enumerate(members):
                traits[member] = traits[member]._replace(family=family, member=at)
    singles = tuple(each for each, has in traits.items() if has.family is None)
    return Plan(traits, tuple(families), singles, largest)


def _family(pool: Pool, members: Sequence[Candidate], groups: Groups) -> Family:
    names = tuple(sorted({name for member in members for name in member.draws}))
    places = {name: at for at, name in enumerate(names)}
    draws = tuple(
        tuple(sorted((places[name], amount) for name, amount in member.draws.items())) for member in members
    )
    return Family(pool, names, budget(tuple(pool.counters[name] for name in names), draws), groups)


def _drawing(pool: Pool) -> Iterable[Candidate]:
    """None without the feature: then the pool's counters are not even read."""
    if not pool.is_usable or not pool.counters:
        return ()
    return (each for each in pool.devices if each.draws)


def _kin(devices: Iterable[Candidate]) -> Iterable[Sequence[Candidate]]:
    """Devices that draw from a counter set in common, directly or through others."""
    by_sets: dict[frozenset[str], list[Candidate]] = {}
    for each in devices:
        sets = frozenset(drawn.counter_set for drawn in each.device.consumes_counters)
        by_sets.setdefault(sets, []).append(each)
    kin: list[tuple[frozenset[str], list[Candidate]]] = []
    for sets, members in by_sets.items():
        related = [each for each in kin if each[0] & sets]
        kin = [each for each in kin if not each[0] & sets]
        kin.append(
            (sets.union(*(each[0] for each in related)), [*(m for r in related for m in r[1]), *members])
        )
    return [members for _, members in kin]


def _levels(devices: Sequence[Device]) -> tuple[str, ...]:
    """Attributes that set the devices apart in groups, those with the fewest groups first."""
    values: dict[str, set[DeviceAttribute]] = defaultdict(set)
    for device in devices:
        for name, value in device.attributes.items():
            if name.rpartition("/")[2] in GROUPING:
                values[name].add(value)
    return tuple(
        sorted((name for name in values if len(values[name]) > 1), key=lambda n: (len(values[n]), n))
    )


def _groups(device: Device, levels: Sequence[str]) -> Groups:
    return tuple(device.attributes.get(name) for name in levels)


def _largest(candidates: Iterable[Candidate]) -> Mapping[str, Amount]:
    largest: dict[str, Amount] = {}
    for each in candidates:
        for name, capacity in each.device.capacity.items():
            largest[name] = max(largest.get(name, 0), capacity.value.value)
    return largest


def _size(device: Device, largest: Mapping[str, Amount], used: Mapping[str, Amount] = {}) -> int:
    parts = (
        (capacity.value.value - used.get(name, 0), largest[name])
        for name, capacity in device.capacity.items()
        if largest[name]
    )
    return sum(int(amount * SCALE // most) for amount, most in parts)
