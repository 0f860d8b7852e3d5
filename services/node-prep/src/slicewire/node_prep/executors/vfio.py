"""A GPU for a virtual machine: taken from the NVIDIA driver, bound to VFIO, and given back.

What is true is in sysfs: after a kill between any two writes it is read there. A GPU that VFIO, or nobody,
had before the claim is left as it was.
"""

from __future__ import annotations

from contextlib import suppress

from slicewire.common.nvml.facts import GpuFacts
from slicewire.common.nvml.refusal import NvmlCode, NvmlRefused
from slicewire.node_prep.core.hardware import VfioFunction
from slicewire.node_prep.core.passthrough import NVIDIA, is_vfio, obstacle
from slicewire.node_prep.core.plan import PreparePlan
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from slicewire.node_prep.core.steps import (
    BindToVfio,
    FindIommuGroup,
    Notes,
    TakeFromDriver,
    TurnPersistenceOff,
)
from slicewire.node_prep.executors.gpus import instances, taking_back
from slicewire.node_prep.executors.handover import Handover

_FOUND = "found"
"""Noted of what was so before we came; the value says what was so."""
_DONE = {"was": NVIDIA}


class FindsIommuGroups:
    def __init__(self, handover: Handover) -> None:
        self._handover = handover

    def ready(self, step: FindIommuGroup, plan: PreparePlan) -> Notes | PrepareRefusal | None:
        return self.do(step, plan)

    def do(self, step: FindIommuGroup, plan: PreparePlan) -> Notes | PrepareRefusal:
        return self._obstacle(step, plan) or {}

    def undo(self, step: FindIommuGroup, plan: PreparePlan, notes: Notes) -> PrepareRefusal | None:
        """Nothing was changed."""

    def found(self, step: FindIommuGroup, plan: PreparePlan, notes: Notes) -> bool | PrepareRefusal:  # noqa: ARG002
        return self._obstacle(step, plan) or True

    def _obstacle(self, step: FindIommuGroup, plan: PreparePlan) -> PrepareRefusal | None:
        bus, place = self._handover.bus, step.pci_bus_id
        if not bus.has(place):
            return PrepareRefusal(Why.DRIVER, f"there is no PCI device {place} now")
        ours = {one.hardware.pci_bus_id for one in plan.devices if isinstance(one.hardware, VfioFunction)}
        function = bus.function(place)
        if refusal := obstacle(function, ours):
            return refusal
        gpu = self._handover.seen(place) if function.driver == NVIDIA else None
        return None if gpu is None else _cut(gpu)


class TurnsPersistenceOff:
    def __init__(self, handover: Handover) -> None:
        self._handover = handover

    def ready(self, step: TurnPersistenceOff, plan: PreparePlan) -> Notes | PrepareRefusal | None:  # noqa: ARG002
        gpu = self._handover.seen(step.pci_bus_id)
        return None if gpu is not None and gpu.persistence else {_FOUND: "off"}

    def do(self, step: TurnPersistenceOff, plan: PreparePlan) -> Notes | PrepareRefusal:  # noqa: ARG002
        gpu = self._handover.seen(step.pci_bus_id)
        if gpu is not None:
            self._handover.nvml.set_persistence_mode(gpu.uuid, enabled=False)
        return {"was": "on"}

    def undo(self, step: TurnPersistenceOff, plan: PreparePlan, notes: Notes) -> PrepareRefusal | None:  # noqa: ARG002
        if _FOUND in notes:
            return None
        gpu = self._handover.seen_anew(step.pci_bus_id)
        if gpu is None:
            return None  # whoever has it now, it is in no mode of NVIDIA's driver
        with taking_back(NvmlCode.NOT_SUPPORTED):
            self._handover.nvml.set_persistence_mode(gpu.uuid, enabled=True)
        return None

    def found(self, step: TurnPersistenceOff, plan: PreparePlan, notes: Notes) -> bool | PrepareRefusal:  # noqa: ARG002
        gpu = self._handover.seen(step.pci_bus_id)
        return gpu is None or not gpu.persistence


class TakesFromDriver:
    def __init__(self, handover: Handover) -> None:
        self._handover = handover

    def ready(self, step: TakeFromDriver, plan: PreparePlan) -> Notes | PrepareRefusal | None:  # noqa: ARG002
        driver = self._handover.bus.driver(step.pci_bus_id)
        return None if driver == NVIDIA else {_FOUND: driver}

    def do(self, step: TakeFromDriver, plan: PreparePlan) -> Notes | PrepareRefusal:  # noqa: ARG002
        place, bus = step.pci_bus_id, self._handover.bus
        refused = self._take(place) if bus.driver(place) == NVIDIA else None
        if refused is None or bus.is_unbinding(place):
            return _DONE  # the next step says what is missing; undone, this one waits for the kernel
        with suppress(NvmlRefused):  # the refusal before it is the one to tell
            self._handover.given_back(place)
        return refused

    def undo(self, step: TakeFromDriver, plan: PreparePlan, notes: Notes) -> PrepareRefusal | None:  # noqa: ARG002
        place, bus = step.pci_bus_id, self._handover.bus
        if _FOUND in notes or not bus.has(place):
            return None
        if bus.is_unbinding(place):
            return _still_taken_off(place, NVIDIA)
        return self._handover.given_back(place)

    def found(self, step: TakeFromDriver, plan: PreparePlan, notes: Notes) -> bool | PrepareRefusal:  # noqa: ARG002
        return self._handover.bus.driver(step.pci_bus_id) != NVIDIA

    def _take(self, place: str) -> PrepareRefusal | None:
        handover = self._handover
        driver = handover.vfio_driver(place)
        if isinstance(driver, PrepareRefusal):
            return driver
        gpu = handover.seen(place) or handover.seen_anew(place)
        if gpu is None:
            return PrepareRefusal(
                Why.DRIVER,
                f"{NVIDIA} has {place} and NVML does not see it: it may be in use",
            )
        return (
            handover.unused(place, lambda: handover.computing(gpu))
            or handover.reserved(place, driver)
            or handover.unused(place, lambda: handover.opened(f"/dev/nvidia{gpu.minor}"))
            or handover.taken_from(place, NVIDIA)
        )


class BindsToVfio:
    def __init__(self, handover: Handover) -> None:
        self._handover = handover

    def ready(self, step: BindToVfio, plan: PreparePlan) -> Notes | PrepareRefusal | None:  # noqa: ARG002
        driver = self._handover.bus.driver(step.pci_bus_id)
        return {_FOUND: driver} if is_vfio(driver) else None

    def do(self, step: BindToVfio, plan: PreparePlan) -> Notes | PrepareRefusal:  # noqa: ARG002
        place, handover = step.pci_bus_id, self._handover
        if handover.bus.is_unbinding(place):
            return _still_taken_off(place)
        driver = handover.vfio_driver(place)
        if isinstance(driver, PrepareRefusal):
            return driver
        has_it = handover.bus.driver(place)
        if has_it and has_it != driver:
            return PrepareRefusal(Why.BUSY, f"kernel driver {has_it} has {place} still, or again")
        refused = handover.reserved(place, driver)
        if refused is None and not has_it:
            refused = handover.given_to(place, driver)
        if refused is not None:
            handover.bus.reserve(place, "")
        return refused or {"bound": driver}

    def undo(self, step: BindToVfio, plan: PreparePlan, notes: Notes) -> PrepareRefusal | None:  # noqa: ARG002
        place, handover = step.pci_bus_id, self._handover
        if _FOUND in notes or not handover.bus.has(place):
            return None
        driver = handover.bus.driver(place)
        if handover.bus.is_unbinding(place) and not is_vfio(driver):
            return _still_taken_off(place)
        if is_vfio(driver):
            nodes = handover.bus.vfio_nodes(place)
            refused = handover.unused(place, lambda: handover.opened(*nodes))
            refused = refused or handover.taken_from(place, driver)
            if refused is not None:
                return refused
        return handover.bus.reserve(place, "")

    def found(self, step: BindToVfio, plan: PreparePlan, notes: Notes) -> bool | PrepareRefusal:  # noqa: ARG002
        return is_vfio(self._handover.bus.driver(step.pci_bus_id))


def _still_taken_off(place: str, driver: str = "a driver") -> PrepareRefusal:
    """`driver` of sysfs says nothing meanwhile: the link goes before the driver does (drivers/base/dd.c)."""
    return PrepareRefusal(Why.BUSY, f"the kernel is still taking {driver} off {place}")


def _cut(gpu: GpuFacts) -> PrepareRefusal | None:
    found = instances(gpu)
    if not found:
        return None
    return PrepareRefusal(
        Why.BUSY,
        f"{gpu.uuid} is cut into {len(found)} GPU instances that no claim of this node made:"
        " they are left alone, and no virtual machine can have the GPU",
    )
