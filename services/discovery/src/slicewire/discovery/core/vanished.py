"""GPUs that were here and are gone.

NVML and the PCI bus forget a GPU that fell off; whoever asks why a pool shrank should not have to.
Remembered for as long as discovery runs: a start takes the machine as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from slicewire.common.nvml.facts import Unseen
from slicewire.discovery.core import pci
from slicewire.discovery.core.inventory import Here, Inventory


class Seen(msgspec.Struct, frozen=True):
    """Every GPU there has been, by PCI bus id: one put in its place makes the old one forgotten."""

    gpus: Mapping[str, Here] = msgspec.field(default_factory=dict)

    def with_look(self, found: Inventory) -> Seen:
        here = {one.uuid for one in found.here}
        elsewhere = {bus: one for bus, one in self.gpus.items() if one.uuid not in here}
        return Seen({**elsewhere, **{one.pci_bus_id: one for one in found.here}})

    def completed(self, found: Inventory) -> Inventory:
        """The same inventory, with the GPUs that are neither offered nor spoken of any more."""
        return msgspec.structs.replace(found, unseen=(*found.unseen, *self._missing(found)))

    def _missing(self, found: Inventory) -> Iterator[Unseen]:
        uuids = {one.uuid for one in found.here}
        taken = {one.pci_bus_id for one in found.here}
        spoken_of = {pci.bus_id(one.pci_bus_id) for one in found.unseen}
        for bus, gpu in sorted(self.gpus.items()):
            if gpu.uuid not in uuids and bus not in spoken_of | taken:
                what = gpu.uuid or "a GPU"
                reason = f"{what} at {bus} was here and is gone: NVML and the PCI bus list it no more"
                yield Unseen(gpu.name, reason, bus)
