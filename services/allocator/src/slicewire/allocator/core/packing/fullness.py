"""How full a node is: what is left of its own devices, and whether any of them is in use at all.

Devices in pools that nodes share say nothing about one node, and do not count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from slicewire.allocator.core.holdings import Usage
from slicewire.allocator.core.packing.budgets import SCALE, share_left
from slicewire.allocator.core.packing.plan import Plan, plan_of
from slicewire.allocator.core.stock import Candidate, Stock
from slicewire.common.model import PoolID, ResourceSlice

STEPS = 8
"""A device's worth of room is told in so many steps: nodes that differ by less are equally full."""


class Fullness(NamedTuple):
    """In order: nodes in use before untouched ones, those with the least room first."""

    is_untouched: bool
    room: int


def untouched(slices: Sequence[ResourceSlice]) -> Fullness:
    """Told from what is published alone: most nodes of a fleet that has just begun need no closer look."""
    devices = [device for each in slices for device in each.spec.devices]
    singles = sum(1 for device in devices if not device.consumes_counters)
    budgets = sum(len(each.spec.shared_counters) for each in slices)
    return Fullness(True, (singles + budgets) * STEPS)


def fullness(stock: Stock, usages: Mapping[PoolID, Usage]) -> Fullness:
    plan = plan_of(stock)
    room = sum(_room(each, plan, usages[each.pool_id]) for each in plan.singles)
    for family in plan.families:
        room += share_left(family.left(usages[family.pool.id]), family.budget.totals)
    return Fullness(False, room * STEPS // SCALE)


def of_whole(free: int) -> Fullness:
    """The same of a node with nothing but whole devices, of which so many are free."""
    return Fullness(False, free * STEPS)


def _room(single: Candidate, plan: Plan, usage: Usage) -> int:
    """Of a device that draws on nothing: all, nothing, or what its sharers leave."""
    name = single.device.name
    if name in usage.dedicated:
        return 0
    if name not in usage.shared or not plan.traits[single].size:
        return SCALE
    left = plan.size(single.device, usage.shared[name].consumed)
    return min(SCALE - 1, max(0, left * SCALE // plan.traits[single].size))
