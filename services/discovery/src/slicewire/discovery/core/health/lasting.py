"""What is offered of a node, with the devices of lost GPUs kept in it.

Who holds such a device, and who schedules, shall see its taint; one that is simply not there any more
has none.
"""

from __future__ import annotations

import msgspec

from slicewire.common.model import CounterSet, Device
from slicewire.discovery.core.health.ailments import TAINT_KEYS
from slicewire.discovery.core.health.places import place

_OURS = frozenset(TAINT_KEYS.values())


class Offer(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    devices: tuple[Device, ...] = ()
    shared_counters: tuple[CounterSet, ...] = ()

    def at(self, places: frozenset[str]) -> Offer:
        """What of it stands at these PCI bus ids."""
        devices = tuple(device for device in self.devices if place(device) in places)
        used = {use.counter_set for device in devices for use in device.consumes_counters}
        return Offer(devices, tuple(one for one in self.shared_counters if one.name in used))

    def places(self) -> frozenset[str]:
        return frozenset(place(device) for device in self.devices)

    def without(self, places: frozenset[str]) -> Offer:
        return self.at(self.places() - places)

    def untainted(self) -> Offer:
        """Without the taints of findings, which are put on anew each time."""
        return Offer(tuple(map(_untainted, self.devices)), self.shared_counters)

    def with_more(self, other: Offer) -> Offer:
        """And what the other has at places where this one has nothing; in the order of the bus.

        A name that was given to another GPU since is that one's.
        """
        taken = {device.name for device in self.devices}
        named_otherwise = frozenset(place(device) for device in other.devices if device.name in taken)
        more = other.without(self.places() | named_otherwise)
        if not more.devices:
            return self
        here = {one.name for one in self.shared_counters}
        counters = (*self.shared_counters, *(one for one in more.shared_counters if one.name not in here))
        return Offer(tuple(sorted((*self.devices, *more.devices), key=place)), counters)


def _untainted(device: Device) -> Device:
    others = tuple(taint for taint in device.taints if taint.key not in _OURS)
    return device if others == device.taints else msgspec.structs.replace(device, taints=others)
