"""One GPU of the node as everything that is offered of it needs to know it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from slicewire.common.model import CounterSet, Device, DeviceAttribute
from slicewire.common.model.naming import counter_set_name, gpu_name
from slicewire.common.nvml.facts import GpuFacts
from slicewire.discovery.core.pci import PciGpu
from slicewire.discovery.core.policy import Choice


class SeenGpu(msgspec.Struct, frozen=True, kw_only=True):
    """What NVML and the bus say of it, the number in its names, and what the policy says to offer."""

    facts: GpuFacts
    place: PciGpu
    number: int
    vfio: int
    choice: Choice
    shared: Mapping[str, DeviceAttribute]
    """The attributes that all its devices have."""
    peers: Mapping[str, DeviceAttribute]
    """How it is linked to others."""
    product_name: str = ""
    """As the bus knows it, for virtual machines."""
    iommu_fd: bool = False

    @property
    def name(self) -> str:
        return gpu_name(self.number)

    @property
    def counter_set(self) -> str:
        return counter_set_name(self.number)


class Offered(msgspec.Struct, frozen=True, kw_only=True):
    """The devices of one GPU, the counters that they draw from, and what cannot be offered and why."""

    devices: tuple[Device, ...] = ()
    counters: CounterSet | None = None
    remarks: tuple[str, ...] = ()
