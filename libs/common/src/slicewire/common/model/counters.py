"""Shared counters: the budget that the partitions of one device draw from."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from slicewire.common.model.quantity import Quantity
from slicewire.common.model.struct import Object


class Counter(Object, frozen=True):
    value: Quantity


class CounterSet(Object, frozen=True):
    name: str
    counters: Mapping[str, Counter] = msgspec.field(default_factory=dict)


class DeviceCounterConsumption(Object, frozen=True):
    """`compatibility_groups` (1.37): devices drawn from one set together must have one in common."""

    counter_set: str
    counters: Mapping[str, Counter] = msgspec.field(default_factory=dict)
    compatibility_groups: tuple[str, ...] = ()
