"""What the steps of a handover to a virtual machine have in common: who has the GPU, and who still uses it.

NVML holds every GPU open that it was asked about, and the kernel takes a driver off a GPU only when
nobody has it open: so NVML is let go before, and asked again only when the kernel is done.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from slicewire.common.nvml.facts import GpuFacts, NvmlAbsent
from slicewire.common.nvml.port import NvmlControl
from slicewire.node_prep import openfiles
from slicewire.node_prep.core.driver import bus_id
from slicewire.node_prep.core.passthrough import NVIDIA
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from slicewire.node_prep.kernelmodules import Load
from slicewire.node_prep.pcibus import PciBus


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long is waited for whom; meanwhile only the claims of this GPU wait."""

    free_seconds: float = 60.0
    """For those who use the GPU."""
    unbind_seconds: float = 15.0
    """For the kernel."""
    pause_seconds: float = 0.5


class Handover:
    def __init__(self, nvml: NvmlControl, bus: PciBus, load: Load, patience: Patience) -> None:
        self.nvml = nvml
        self.bus = bus
        self._load = load
        self._patience = patience

    def seen(self, place: str) -> GpuFacts | None:
        """As NVML sees it; None where it does not."""
        facts = self.nvml.look()
        gpus = () if isinstance(facts, NvmlAbsent) else facts.gpus
        return next((gpu for gpu in gpus if bus_id(gpu.pci_bus_id) == place), None)

    def seen_anew(self, place: str) -> GpuFacts | None:
        """NVML lists a GPU that came since only when it is begun anew."""
        self.nvml.let_go()
        return self.seen(place)

    def vfio_driver(self, place: str) -> str | PrepareRefusal:
        """The one for this GPU, loaded."""
        module = self.bus.vfio_module(place)
        if not self.bus.has_module(module) and (refused := self._load(module)):
            return refused
        return self.bus.driver_of(module) or PrepareRefusal(
            Why.DRIVER, f"kernel module {module} is loaded and has no PCI driver"
        )

    def reserved(self, place: str, driver: str) -> PrepareRefusal | None:
        """For this driver alone; who hears of it lets go."""
        return None if self.bus.override(place) == driver else self.bus.reserve(place, driver)

    def unused(self, place: str, users: Callable[[], tuple[str, ...]]) -> PrepareRefusal | None:
        """Once nobody uses the GPU; refused where that takes too long."""
        seconds = self._patience.free_seconds
        deadline = time.monotonic() + seconds
        while found := tuple(dict.fromkeys(users())):
            if time.monotonic() >= deadline:
                return PrepareRefusal(
                    Why.BUSY, f"{place} is in use, {seconds:g} s long now, by process {', '.join(found)}"
                )
            time.sleep(self._patience.pause_seconds)
        return None

    def computing(self, gpu: GpuFacts) -> tuple[str, ...]:
        """Who has work on it."""
        return tuple(self._named(process.pid) for process in self.nvml.processes(gpu.uuid))

    def opened(self, *nodes: str) -> tuple[str, ...]:
        """Who else has one of these files of /dev open. We do not, then."""
        self.nvml.let_go()
        return openfiles.users(self.nvml.sysfs_root / "proc", set(nodes))

    def taken_from(self, place: str, driver: str) -> PrepareRefusal | None:
        """Whoever looks through our NVML meanwhile has the GPU open again: let go until it is done."""
        refused = self.bus.unbind(place, self._patience.unbind_seconds, self.nvml.let_go)
        return refused or self._settled(place, "", f"{driver} was to let go of it")

    def given_to(self, place: str, driver: str) -> PrepareRefusal | None:
        refused = self.bus.bind(place, driver)
        return refused or self._settled(place, driver, f"{driver} was to take it")

    def given_back(self, place: str) -> PrepareRefusal | None:
        """To the NVIDIA driver; where that is gone, to whoever comes for it."""
        refused = self.bus.reserve(place, "")
        if refused is not None or self.bus.driver(place) or not self.bus.driver_of(NVIDIA):
            return refused
        return self.given_to(place, NVIDIA)

    def _settled(self, place: str, driver: str, otherwise: str) -> PrepareRefusal | None:
        """A kernel has done it when the write returns; a simulated one when somebody looks."""
        if self.bus.driver(place) != driver:
            self.nvml.look()
        has_it = self.bus.driver(place)
        if has_it == driver:
            return None
        return PrepareRefusal(Why.DRIVER, f"{place}: {otherwise}: {has_it or 'no driver'} has it")

    def _named(self, pid: int) -> str:
        return openfiles.named(self.nvml.sysfs_root / "proc", pid)
