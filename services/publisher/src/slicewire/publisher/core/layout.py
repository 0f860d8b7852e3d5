"""How a pool is cut into slices for a server, by what it allows. Pure.

From Kubernetes 1.35 counters have slices of their own, as `cut_into_slices` has it. Before that a device
draws only from counters of its own slice: all devices that share counters are in one, with the counters.
"""

from __future__ import annotations

from collections.abc import Sequence

from slicewire.common.model import CounterSet, Device
from slicewire.common.model.slicing import MOST_DEVICES, SliceContent, cut_into_slices


def cut(
    devices: Sequence[Device], counters: Sequence[CounterSet], *, counters_apart: bool
) -> tuple[SliceContent, ...]:
    """An empty pool is one empty slice."""
    if counters_apart or not counters:
        return cut_into_slices(devices, counters)
    plain = [device for device in devices if not device.consumes_counters]
    groups = _groups(devices, counters)
    return (*groups, *(cut_into_slices(plain, ()) if plain or not groups else ()))


def _groups(devices: Sequence[Device], counters: Sequence[CounterSet]) -> tuple[SliceContent, ...]:
    """Counter sets that some device draws from at once, and every device that draws from them.

    A group cannot be cut: of one with more devices than a slice holds the last are left out, and
    `slices.left_out` has their names.
    """
    joined: dict[str, frozenset[str]] = {found.name: frozenset((found.name,)) for found in counters}
    for device in devices:
        names = {drawn.counter_set for drawn in device.consumes_counters} & joined.keys()
        together = frozenset().union(*(joined[name] for name in names))
        joined.update(dict.fromkeys(together, together))
    return tuple(
        SliceContent(
            devices=tuple(device for device in devices if _draws(device, names))[:MOST_DEVICES],
            shared_counters=tuple(found for found in counters if found.name in names),
        )
        for names in dict.fromkeys(joined[found.name] for found in counters)
    )


def _draws(device: Device, names: frozenset[str]) -> bool:
    return any(drawn.counter_set in names for drawn in device.consumes_counters)
