"""What a node has to give: its pools, their devices, and the counters that the devices share.

These are values only; pools.py gathers them, snapshot.py keeps them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

import msgspec

from slicewire.allocator.core.holdings import Amount
from slicewire.allocator.core.nodes import NodeView
from slicewire.allocator.core.persistent import Memo
from slicewire.common.model import Device, DeviceID, PoolID, ResourceSlice, ResourceSliceSpec


class CounterName(NamedTuple):
    """A counter within its pool."""

    counter_set: str
    counter: str

    def __str__(self) -> str:
        return f"{self.counter_set}/{self.counter}"


Counters = Mapping[CounterName, Amount]


class Candidate(msgspec.Struct, frozen=True, eq=False):
    """A device as the search meets it: published in a slice that targets the node.

    `in_reach` is false for a device of another node in a slice that selects nodes device by device.
    """

    id: DeviceID
    pool_id: PoolID
    device: Device
    slice: ResourceSliceSpec
    shareable: bool
    in_reach: bool
    draws: Counters
    verdicts: dict[object, object] = msgspec.field(default_factory=dict)
    """What selectors said about this device, kept here so that it goes when the device goes."""


class Trouble(StrEnum):
    """Why nothing is allocated from a pool."""

    INCOMPLETE = "incomplete"
    INVALID = "invalid"


class Pool(msgspec.Struct, frozen=True, eq=False):
    """One driver's pool as one node sees it. `elsewhere` are its devices in slices for other nodes."""

    id: PoolID
    devices: tuple[Candidate, ...] = ()
    elsewhere: tuple[Device, ...] = ()
    counters: Counters = {}
    trouble: Trouble | None = None
    reason: str = ""
    budget: Memo[Counters] = msgspec.field(default_factory=Memo)
    """What usage leaves of the counters; see counters.py."""

    @property
    def is_usable(self) -> bool:
        return self.trouble is None

    @property
    def has_binding_conditions(self) -> bool:
        return any(candidate.device.binding_conditions for candidate in self.devices)


class Stock(msgspec.Struct, frozen=True, eq=False):
    """The pools of one node, gathered, and all of their usable devices in the order of search."""

    node: NodeView
    pools: tuple[Pool, ...]
    candidates: tuple[Candidate, ...]
    shared: tuple[ResourceSlice, ...]
    consulted: Mapping[PoolID, tuple[ResourceSlice, ...]]
    """What else the gathering rests on: slices of no node, and whole pools that were looked up.
    When any of these is another object, the stock is out of date."""


def drawn_by(device: Device) -> Counters:
    """What the device takes from its pool's counters."""
    return {
        CounterName(consumption.counter_set, name): counter.value.value
        for consumption in device.consumes_counters
        for name, counter in consumption.counters.items()
    }
