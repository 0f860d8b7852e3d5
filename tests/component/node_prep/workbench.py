"""One node without a bus: simulated GPUs, a real disk, and the preparation of claims on them.

Claims are planned as the service plans them, from published devices that are made here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from slicewire.common.model import ClaimUID, Device, DeviceAllocationConfiguration
from slicewire.common.nvml.facts import GpuFacts, NodeFacts
from slicewire.common.nvml.partitions import GpuInstance
from slicewire.common.nvml.port import NvmlControl
from slicewire.common.nvml.rooms import NvmlSettings, open_nvml
from slicewire.common.nvml.simulated.state import NodeState, SimulatedGpu
from slicewire.common.nvml.simulated.statefile import StateFile
from slicewire.node_prep import files
from slicewire.node_prep.core.entry import Asker
from slicewire.node_prep.core.lifecycle import State
from slicewire.node_prep.core.plan import PreparePlan, plan
from slicewire.node_prep.core.refusal import PrepareRefusal
from slicewire.node_prep.driverroot import DriverRoot
from slicewire.node_prep.executors import Executors, MpsHere, executors
from slicewire.node_prep.journal import Journal
from slicewire.node_prep.preparation import Preparation
from tests.unit.node_prep.builders import (
    NODE,
    TRACE,
    a_claim,
    a_device,
    a_node,
    a_result,
    an_allocation,
)

SMALL = 19
"""`1g.10gb` of an H100."""


class Workbench:
    def __init__(self, folder: Path, model: str = "h100", gpus: int = 2) -> None:
        self.folder = folder
        self.cdi_root = folder / "cdi"
        self.checkpoint = folder / "plugin" / "checkpoint.json"
        self.state = StateFile(folder / "gpus" / "state.json")
        room = NvmlSettings(room="simulated", state=str(self.state.path), profile=model, gpus=gpus, node=NODE)
        self.nvml: NvmlControl = open_nvml(room)
        self.mps = MpsHere(root=folder / "plugin" / "mps")
        self.boot = "the first boot"
        self.preparation = self.another()

    def another(self, table: Executors | None = None) -> Preparation:
        """What the next process has; it takes over with `resume`."""
        known = executors(self.nvml, DriverRoot(self.nvml), self.cdi_root, self.mps)
        journal = Journal(self.checkpoint, self.boot)
        return Preparation(journal, {**known, **(table or {})}, self.cdi_root)

    def impatient(self, seconds: float) -> None:
        """MPS control daemons must answer as soon as that."""
        self.mps = msgspec.structs.replace(self.mps, patience_seconds=seconds)
        self.preparation = self.another()

    def offers_no_mps(self, reason: str) -> None:
        """From the next process on."""
        self.mps = msgspec.structs.replace(self.mps, refused_because=reason)

    async def killed_and_started(self) -> Preparation:
        """Nothing of the process before is kept but its disk."""
        self.preparation = self.another()
        await self.preparation.resume()
        return self.preparation

    async def rebooted(self) -> Preparation:
        """Instances and settings are gone with the driver, and so are the CDI files."""
        self.boot = "the next boot"
        self.state.change(_fresh)
        for name in files.names(self.cdi_root):
            files.delete(self.cdi_root / name)
        return await self.killed_and_started()

    def planned(
        self,
        *devices: Device,
        uid: str = "claim-1",
        config: tuple[DeviceAllocationConfiguration, ...] = (),
        **more: Any,
    ) -> PreparePlan | PrepareRefusal:
        results = (a_result(device.name, **more) for device in devices)
        allocation = an_allocation(*results, claim=a_claim(uid), config=config)
        holders = self.preparation.checkpoint.holders(but=ClaimUID(uid))
        return plan(allocation, a_node(*devices), holders)

    async def prepare(self, *devices: Device, uid: str = "claim-1", **more: Any) -> PrepareRefusal | None:
        made = self.planned(*devices, uid=uid, **more)
        if isinstance(made, PrepareRefusal):
            return made
        return await self.preparation.prepare(made, Asker.KUBELET, TRACE)

    async def prepared(self, *devices: Device, uid: str = "claim-1", **more: Any) -> None:
        refusal = await self.prepare(*devices, uid=uid, **more)
        assert refusal is None, refusal

    async def removed(self, uid: str = "claim-1") -> None:
        refusal = await self.preparation.remove(ClaimUID(uid))
        assert refusal is None, refusal

    def gpu(self, minor: int = 0) -> GpuFacts:
        facts = self.nvml.look()
        assert isinstance(facts, NodeFacts), facts
        return next(gpu for gpu in facts.gpus if gpu.minor == minor)

    def instances(self, minor: int = 0) -> list[tuple[int, int, int]]:
        """Of each GPU instance its profile, where it begins, and how many compute instances it has."""
        mig = self.gpu(minor).mig
        found: tuple[GpuInstance, ...] = mig.instances if mig is not None else ()
        return [(one.profile_id, one.placement.start, len(one.compute_instances)) for one in found]

    def by_another_hand(self, start: int, minor: int = 0) -> GpuInstance:
        """A small partition that somebody else makes."""
        gpu = self.gpu(minor)
        if not gpu.mig_enabled:
            self.nvml.set_mig_mode(gpu.uuid, enabled=True)
        made = self.nvml.create_gpu_instance(gpu.uuid, SMALL, start)
        assert made.whole is not None
        self.nvml.create_compute_instance(gpu.uuid, made.id, made.whole.id)
        return made

    def whole(self, minor: int = 0) -> Device:
        return a_device(f"gpu-{minor}", type="gpu", uuid=self.gpu(minor).uuid)

    def part(self, start: int, minor: int = 0, profile: int = SMALL, uuid: str = "") -> Device:
        own = {"uuid": uuid} if uuid else {}
        return a_device(
            f"gpu-{minor}-mig-1g10gb-{profile}-{start}",
            type="mig",
            parentUUID=self.gpu(minor).uuid,
            **own,
        )

    def state_of(self, uid: str = "claim-1") -> State:
        entry = self.preparation.checkpoint.entry(ClaimUID(uid))
        return State.ABSENT if entry is None else entry.state

    def nothing_is_left(self, minor: int = 0) -> bool:
        gpu = self.gpu(minor)
        return (
            not gpu.mig_enabled
            and self.instances(minor) == []
            and files.names(self.cdi_root) == ()
            and not self.preparation.checkpoint.entries
        )


def _fresh(state: NodeState) -> NodeState:
    for gpu in state.gpus:
        state = state.with_gpu_as(
            SimulatedGpu(
                minor=gpu.minor,
                uuid=gpu.uuid,
                model=gpu.model,
                pci_bus_id=gpu.pci_bus_id,
                pcie_root=gpu.pcie_root,
                numa_node=gpu.numa_node,
            )
        )
    return state
