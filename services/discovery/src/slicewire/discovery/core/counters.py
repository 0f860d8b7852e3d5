"""What the devices of one GPU draw from together, so that no two of them are given that cannot both be.

The counters of a GPU that can be cut are those of NVIDIA's DRA driver: the most of each kind that any
profile has, and one for each slice of memory. What can only be given whole has the one counter `gpu`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from slicewire.common.model import Counter, CounterSet, DeviceCapacity, DeviceCounterConsumption, Quantity
from slicewire.common.nvml.partitions import MigProfile, Placement

_MIB = 1024**2
_COUNTERS = {
    "multiprocessors": "multiprocessors",
    "copyEngines": "copy-engines",
    "decoders": "decoders",
    "encoders": "encoders",
    "jpegEngines": "jpeg-engines",
    "ofaEngines": "ofa-engines",
    "memory": "memory",
}
"""Of each capacity."""
Amounts = Mapping[str, int]
"""By capacity name."""
_ONE_WHOLE = {"gpu": Counter(value=Quantity("1"))}


def amounts(profile: MigProfile) -> Amounts:
    """What one partition of this profile has."""
    return {
        "multiprocessors": profile.multiprocessors,
        "copyEngines": profile.copy_engines,
        "decoders": profile.decoders,
        "encoders": profile.encoders,
        "jpegEngines": profile.jpeg_engines,
        "ofaEngines": profile.ofa_engines,
        "memory": profile.memory_mib * _MIB,
    }


def most(profiles: Iterable[MigProfile]) -> Amounts:
    """Of each kind the most that any profile has."""
    each = [amounts(profile) for profile in profiles]
    return {name: max(one[name] for one in each) for name in _COUNTERS}


def capacity(found: Amounts) -> dict[str, DeviceCapacity]:
    return {name: DeviceCapacity(value=Quantity.of(amount)) for name, amount in found.items()}


def whole(profiles: Iterable[MigProfile]) -> Mapping[str, Counter]:
    """All that there is of a GPU that can be cut so."""
    known = tuple(profiles)
    return drawn(most(known), Placement(0, memory_slices(known)))


def memory_slices(profiles: Iterable[MigProfile]) -> int:
    """How many the whole GPU has."""
    return max((place.end for profile in profiles for place in profile.placements), default=0)


def drawn(found: Amounts, placement: Placement) -> Mapping[str, Counter]:
    """What a partition of these amounts takes there."""
    engines = {_COUNTERS[name]: Counter(value=Quantity.of(amount)) for name, amount in found.items()}
    places = range(placement.start, placement.end)
    slices = {f"memory-slice-{at}": Counter(value=Quantity("1")) for at in places}
    return {**engines, **slices}


def undivided(name: str) -> CounterSet:
    """Of a GPU that is given whole, as one kind of device or as another."""
    return CounterSet(name=name, counters=_ONE_WHOLE)


def all_of(counters: CounterSet | None) -> tuple[DeviceCounterConsumption, ...]:
    """What a device takes beside which there is nothing left."""
    if counters is None:
        return ()
    return (DeviceCounterConsumption(counter_set=counters.name, counters=counters.counters),)
