"""A node whose GPUs virtual machines get: what its kernel and its processes do besides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from slicewire.common.model import Device, DeviceAllocationConfiguration
from slicewire.common.nvml.facts import NodeFacts, NvmlAbsent, Process
from slicewire.common.nvml.port import NvmlControl
from slicewire.common.nvml.simulated.state import SimulatedGpu
from slicewire.node_prep import files
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from slicewire.node_prep.driverroot import DriverRoot
from slicewire.node_prep.executors import Handover, Patience, executors
from slicewire.node_prep.pcibus import PciBus
from tests.component.node_prep.workbench import Workbench
from tests.unit.node_prep.builders import a_config, a_device, a_function

IMPATIENT = Patience(free_seconds=0, unbind_seconds=10, pause_seconds=0.001)
PATIENT = Patience(free_seconds=10, unbind_seconds=10, pause_seconds=0.001)


def iommu(**given: object) -> tuple[DeviceAllocationConfiguration, ...]:
    return (a_config("VfioDeviceConfig", iommu=given),)


class Machines:
    """The handover of GPUs on a workbench. A module that is not loaded is asked of `load`."""

    def __init__(self, node: Workbench) -> None:
        self.node = node
        self.nvml: NvmlControl = node.nvml
        self.asked_to_load: list[str] = []
        self.nvml.look()

    @property
    def sys(self) -> Path:
        return self.node.nvml.sysfs_root / "sys"

    def gpu(self, minor: int = 0) -> SimulatedGpu:
        self.node.nvml.look()
        return self.node.state.read().gpu(minor)

    def has(self, minor: int = 0) -> str:
        """The kernel driver that has it."""
        return self.gpu(minor).kernel_driver

    def device(self, minor: int = 0) -> Device:
        """Its number is another one than the GPU's, as on a node whose numbers have changed."""
        return a_function(minor + 4, self.gpu(minor).pci_bus_id)

    def whole(self, minor: int = 0) -> Device:
        gpu = self.gpu(minor)
        own = {"resource.kubernetes.io/pciBusID": gpu.pci_bus_id}
        return a_device(f"gpu-{minor}", type="gpu", uuid=gpu.uuid, **own)

    def file(self, name: str, minor: int = 0) -> Path:
        return self.sys / "bus/pci/devices" / self.gpu(minor).pci_bus_id / name

    def override(self, minor: int = 0) -> str:
        return self.file("driver_override", minor).read_text().strip()

    def untouched(self) -> bool:
        """As before any claim."""
        gpu = self.gpu()
        return (
            (gpu.kernel_driver, gpu.persistence, self.override()) == ("nvidia", True, "")
            and not self.node.preparation.checkpoint.entries
            and files.names(self.node.cdi_root) == ()
        )

    def change(self, minor: int = 0, **values: object) -> None:
        self.node.state.change(lambda state: state.with_changed(minor, **values))
        self.node.nvml.look()

    def companion(self, place: str, driver: str, pci_class: str = "0x040300") -> None:
        """Another device in the IOMMU group of GPU 0."""
        device = self.sys / "devices/pci0000:00" / place
        device.mkdir(parents=True)
        (device / "class").write_text(f"{pci_class}\n")
        if driver:
            (device / "driver").symlink_to(f"../../../bus/pci/drivers/{driver}")
        group = self.file("iommu_group").resolve()
        (group / "devices" / place).symlink_to(f"../../../../devices/pci0000:00/{place}")

    def opens(self, node: str, pid: int = 4711, name: str = "dcgm") -> Path:
        """A process has this file of /dev open, until what is returned is deleted."""
        process = self.node.nvml.sysfs_root / "proc" / str(pid)
        (process / "fd").mkdir(parents=True)
        (process / "comm").write_text(f"{name}\n")
        (process / "fd" / "7").symlink_to(f"/run/nvidia/driver{node}")
        return process / "fd" / "7"

    def serve(self, patience: Patience = IMPATIENT, bus: PciBus | None = None) -> None:
        """From now on claims are prepared so."""
        handover = Handover(self.nvml, bus or PciBus(self.nvml.sysfs_root), self._load, patience)
        table = executors(self.nvml, DriverRoot(self.nvml), self.node.cdi_root, vfio=handover)
        self.node.preparation = self.node.another(table)

    def _load(self, module: str) -> PrepareRefusal | None:
        self.asked_to_load.append(module)
        return PrepareRefusal(Why.DRIVER, f"no module {module}")


class WatchedNvml:
    """An NVML room that remembers whether it has GPUs open, as the real one has. `when_asked` is called when
    it is asked for processes."""

    def __init__(self, nvml: NvmlControl, when_asked: Callable[[], object] = lambda: None) -> None:
        self._nvml = nvml
        self._when_asked = when_asked
        self.is_open = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._nvml, name)

    def look(self) -> NodeFacts | NvmlAbsent:
        self.is_open = True
        return self._nvml.look()

    def processes(self, gpu: str) -> tuple[Process, ...]:
        self.is_open = True
        self._when_asked()
        return self._nvml.processes(gpu)

    def let_go(self) -> None:
        self.is_open = False
        self._nvml.let_go()


WORKING = (Process(pid=1234),)


def idle(node: Workbench) -> None:
    """The processes on GPU 0 end."""
    node.state.change(lambda state: state.with_gpu_as(msgspec.structs.replace(state.gpu(0), processes=())))
