"""GPUs that were here and are gone.

NVML and the PCI bus forget a GPU that fell off; whoever asks why a pool shrank should not have to.
Remembered for as long as discovery runs: a start takes the machine as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from slicewire.common.model import Device
from slicewire.common.nvml.facts import Unseen
from slicewire.discovery.core import pci
from slicewire.discovery.core.attributes import PCI_BUS_ID
from slicewire.discovery.core.inventory import Inventory


class Seen(msgspec.Struct, frozen=True):
    """Every GPU there has been, by PCI bus id: one put in its place makes the old one forgotten."""

    devices: Mapping[str, Device] = msgspec.field(default_factory=dict)

    def with_look(self, found: Inventory) -> Seen:
        here = {_uuid(device) for device in found.devices}
        elsewhere = {bus: device for bus, device in self.devices.items() if _uuid(device) not in here}
        return Seen({**elsewhere, **{_bus(device): device for device in found.devices}})

    def completed(self, found: Inventory) -> Inventory:
        """The same inventory, with the GPUs that are neither offered nor spoken of any more."""
        return Inventory(found.devices, (*found.unseen, *self._missing(found)))

    def _missing(self, found: Inventory) -> Iterator[Unseen]:
        here = {_uuid(device) for device in found.devices}
        spoken_of = {pci.bus_id(one.pci_bus_id) for one in found.unseen}
        taken = {_bus(device) for device in found.devices}
        for bus, device in sorted(self.devices.items()):
            if _uuid(device) not in here and bus not in spoken_of | taken:
                reason = (
                    f"{_uuid(device)} at {bus} was here and is gone: NVML and the PCI bus list it no more"
                )
                yield Unseen(device.name, reason, bus)


def _bus(device: Device) -> str:
    return device.attributes[PCI_BUS_ID].string or ""


def _uuid(device: Device) -> str:
    uuid = device.attributes.get("uuid")
    return (uuid and uuid.string) or ""
