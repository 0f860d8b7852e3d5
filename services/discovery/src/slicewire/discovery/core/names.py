"""Which number each GPU has in its names, now and after the next reboot.

NVML numbers GPUs anew whenever the driver is loaded, and the bus is counted anew at every boot; a name
that moved to another GPU would give a claim the wrong one. So a GPU keeps the numbers it got when it was
first seen, by its UUID, or by its place on the bus while no UUID is known of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from slicewire.common.model.struct import Object


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """A GPU as one look shows it, with the numbers it would have on a node never seen before."""

    pci_bus_id: str
    uuid: str = ""
    """Empty where NVML does not see it."""
    minor: int | None = None
    product_name: str = ""
    scan: int
    """Its place among the NVIDIA GPUs on the bus."""


class Named(Object, frozen=True):
    """One GPU that has been on this node."""

    pci_bus_id: str = msgspec.field(name="pciBusID")
    vfio: int
    gpu: int | None = None
    """None until NVML has seen it once."""
    uuid: str = ""
    product_name: str = ""
    """As NVML calls it."""


class Names(Object, frozen=True):
    known: tuple[Named, ...] = ()
    """By bus id."""

    def with_seen(self, sightings: Iterable[Sighting]) -> Names:
        """With a number for every GPU that is here. A GPU in another's place makes that one forgotten."""
        here = {one.pci_bus_id: one for one in sightings}
        uuids = {one.uuid for one in here.values()} - {""}
        away = [one for one in self.known if one.uuid not in uuids and one.pci_bus_id not in here]
        old = {bus: known for bus, one in here.items() if (known := self._remembered(one, uuids))}
        gpus = _numbered(
            {bus: one.gpu for bus, one in old.items() if one.gpu is not None},
            {bus: one.minor for bus, one in here.items() if one.minor is not None},
            {one.gpu for one in away if one.gpu is not None},
        )
        vfios = _numbered(
            {bus: one.vfio for bus, one in old.items()},
            {bus: one.scan for bus, one in here.items()},
            {one.vfio for one in away},
        )
        named = (
            Named(
                pci_bus_id=bus,
                vfio=vfios[bus],
                gpu=gpus.get(bus),
                uuid=one.uuid or (old[bus].uuid if bus in old else ""),
                product_name=one.product_name or (old[bus].product_name if bus in old else ""),
            )
            for bus, one in here.items()
        )
        return Names(known=tuple(sorted((*away, *named), key=lambda one: one.pci_bus_id)))

    def at(self, pci_bus_id: str) -> Named:
        """Of a GPU that the last look showed there."""
        return next(one for one in self.known if one.pci_bus_id == pci_bus_id)

    def number(self, pci_bus_id: str) -> int:
        """In the name of a GPU that NVML showed there at the last look."""
        number = self.at(pci_bus_id).gpu
        assert number is not None, "who is seen by NVML has a number"
        return number

    def _remembered(self, seen: Sighting, here: set[str]) -> Named | None:
        """By UUID; by place only where one of the two UUIDs is not known."""
        if seen.uuid:
            for one in self.known:
                if one.uuid == seen.uuid:
                    return one
        for one in self.known:
            if one.pci_bus_id == seen.pci_bus_id and (
                not one.uuid or (not seen.uuid and one.uuid not in here)
            ):
                return one
        return None


def _numbered(kept: Mapping[str, int], wanted: Mapping[str, int], away: set[int]) -> dict[str, int]:
    """By bus id: the number it has, else the one it wants, else the lowest that no GPU of this node has."""
    numbers = dict(kept)
    taken = away | set(kept.values())
    for bus, number in sorted(wanted.items(), key=lambda item: (item[1] in taken, item[1], item[0])):
        if bus in numbers:
            continue
        free = number if number not in taken else next(n for n in range(len(taken) + 1) if n not in taken)
        numbers[bus] = free
        taken.add(free)
    return numbers
