"""What a node has to give: its pools, their devices, and the counters that the devices share.

These are values only; pools.py gathers them, snapshot.py keeps them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

import msgspec

from slicewire.allocator.core.holdings import Amount
from slicewire.allocator.core.nodes import NodeView
from slicewire.allocator.core.persistent import Memo
from slicewire.common.model import Device, DeviceID, DeviceName, PoolID, ResourceSlice, ResourceSliceSpec


class CounterName(NamedTuple):
    """A counter within its pool."""

    counter_set: str
    counter: str

    def __str__(self) -> str:
        return f"{self.counter_set}/{self.counter}"


Counters = Mapping[CounterName, Amount]
_NOTHING: Counters = {}
_REMEMBERED_PARTS = 16


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


class Member(NamedTuple):
    """A device that draws from a bank, and how much of each of its counters."""

    bit: int
    amounts: tuple[tuple[int, Amount], ...]
    """(place of the counter in the bank, amount)"""


class Bank(msgspec.Struct, frozen=True, eq=False):
    """Counter sets and the devices that draw from exactly these. `affordable`: by what is left, memorized."""

    pool: int
    counters: tuple[CounterName, ...]
    members: tuple[Member, ...]
    everyone: int
    affordable: dict[tuple[Amount, ...], int] = msgspec.field(default_factory=dict)


class Layout(msgspec.Struct, frozen=True, eq=False, weakref=True):
    """`devices` are those of the first node that was seen with it; all others of its nodes are alike."""

    devices: tuple[Candidate, ...]
    bits: tuple[Mapping[DeviceName, int], ...]
    """For each usable pool, in their order."""
    banks: tuple[Bank, ...]
    everything: int
    judged: int
    """Devices that selectors are asked about at all: the others need a feature that is off."""
    possible: int
    """Devices that may be given away at all."""
    shareable: int
    tainted: int
    recalled: dict[object, object] = msgspec.field(default_factory=dict)
    """What was found out about these devices; see marks.py."""


class Part(NamedTuple):
    """Some devices of a node, and the bit of each."""

    candidates: tuple[Candidate, ...]
    bits: tuple[int, ...]


class Supply(NamedTuple):
    """Which devices others leave, as bits: `free` are not in use, `open` may be had by their counters too."""

    free: int
    open: int


class Stock(msgspec.Struct, frozen=True, eq=False):
    """The pools of one node, gathered, and all of their usable devices in the order of search."""

    node: NodeView
    pools: tuple[Pool, ...]
    candidates: tuple[Candidate, ...]
    shared: tuple[ResourceSlice, ...]
    consulted: Mapping[PoolID, tuple[ResourceSlice, ...]]
    """What else the gathering rests on: slices of no node, and whole pools that were looked up.
    When any of these is another object, the stock is out of date."""
    layout: Layout
    recalled: dict[object, object] = msgspec.field(default_factory=dict)
    """What was found out about these very devices, beside what their layout has in common."""
    supply: Memo[Supply] = msgspec.field(default_factory=Memo)
    """What others leave of it; see supply.py."""

    parts: dict[int, Part] = msgspec.field(default_factory=dict)
    """The subsets that were asked for lately, by mask."""

    def at(self, bit: int) -> Candidate:
        return self.candidates[bit.bit_length() - 1]

    def part(self, mask: int) -> Part:
        """The devices in the mask, in the order of search."""
        part = self.parts.get(mask)
        if part is None:
            if len(self.parts) >= _REMEMBERED_PARTS:
                self.parts.clear()
            bits = tuple(each_bit(mask))
            part = self.parts[mask] = Part(tuple(map(self.at, bits)), bits)
        return part


def drawn_by(device: Device) -> Counters:
    """What the device takes from its pool's counters; devices that take the same share one mapping."""
    if not device.consumes_counters:
        return _NOTHING
    return _draws(
        tuple(
            (CounterName(consumption.counter_set, name), counter.value.value)
            for consumption in device.consumes_counters
            for name, counter in consumption.counters.items()
        )
    )


@lru_cache(maxsize=65_536)
def _draws(amounts: tuple[tuple[CounterName, Amount], ...]) -> Counters:
    return dict(amounts)


def each_bit(mask: int) -> Iterator[int]:
    """From the lowest."""
    while mask:
        lowest = mask & -mask
        yield lowest
        mask ^= lowest
