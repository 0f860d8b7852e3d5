"""Steps for a GPU that a virtual machine gets, by its place on the PCI bus: NVML loses sight of it."""

from __future__ import annotations

from typing import ClassVar

from slicewire.node_prep.core.steps.step import PlanStep


class FindIommuGroup(PlanStep, frozen=True, tag="findIommuGroup"):
    """The node can pass the GPU through, and nothing in its IOMMU group forbids it. Nothing is changed."""

    UNDONE_FREELY: ClassVar[bool] = True

    pci_bus_id: str

    @property
    def what(self) -> str:
        return f"find the IOMMU group of {self.pci_bus_id}"


class TurnPersistenceOff(PlanStep, frozen=True, tag="turnPersistenceOff"):
    """The NVIDIA driver must not keep the GPU open for nobody. On again when the claim is over."""

    pci_bus_id: str

    @property
    def what(self) -> str:
        return f"turn persistence mode of {self.pci_bus_id} off"


class TakeFromDriver(PlanStep, frozen=True, tag="takeFromDriver"):
    """The NVIDIA driver lets go of the GPU, and no other takes it. It gets it back after the claim."""

    pci_bus_id: str

    @property
    def what(self) -> str:
        return f"take {self.pci_bus_id} from the NVIDIA driver"


class BindToVfio(PlanStep, frozen=True, tag="bindToVfio"):
    """The kernel's VFIO driver for this GPU has it."""

    pci_bus_id: str

    @property
    def what(self) -> str:
        return f"bind {self.pci_bus_id} to VFIO"
