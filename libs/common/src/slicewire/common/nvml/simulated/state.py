"""The state of a simulated node, and what can become of it.

Pure. Every change is a new value; `statefile` keeps it where the node's processes share it.
"""

from __future__ import annotations

import uuid
from typing import Any

import msgspec

from slicewire.common.nvml.condition import RecoveryAction, SlowedBy
from slicewire.common.nvml.facts import ComputeMode, EventKind, FabricState, Process, TimeSlice
from slicewire.common.nvml.partitions import GpuInstance
from slicewire.common.nvml.simulated.board import MOST_GPUS, slot
from slicewire.common.nvml.simulated.profiles import MODELS

NVIDIA, VFIO = "nvidia", "vfio-pci"
"""The kernel drivers that a GPU may have."""
_NAMESPACE = uuid.UUID("5b6f3a7e-6a53-5d0e-9a51-2f6d0f6c1c55")
"""Makes UUIDs from node name and position, so that a node keeps its own and no other node has them."""


_CLUSTER = str(uuid.uuid5(_NAMESPACE, "fabric"))
"""Simulated nodes whose GPUs reach beyond their node stand in one rack, and share its fabric."""


class BadState(ValueError):
    """The simulated node cannot be made, changed or read so; the message says why."""


class SimulatedGpu(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True
):
    """What can become of one GPU; what it is made of is its model's. What a file lacks has its default."""

    minor: int
    uuid: str
    model: str
    pci_bus_id: str = msgspec.field(name="pciBusID")
    pcie_root: str
    numa_node: int
    fault: str = ""
    """What NVML answers instead of the GPU's facts; empty when it is well."""
    kernel_driver: str = NVIDIA
    """Who has it in the kernel: `nvidia`, or NVML does not see it; `vfio-pci`; empty for none."""
    mig_enabled: bool = False
    mig_pending: bool | None = None
    """The mode after the next reset; None where it is the one there is."""
    instances: tuple[GpuInstance, ...] = ()
    compute_mode: ComputeMode = ComputeMode.DEFAULT
    time_slice: TimeSlice = TimeSlice.DEFAULT
    persistence: bool = True
    processes: tuple[Process, ...] = ()
    temperature_celsius: int = 34
    slowed_by: tuple[SlowedBy, ...] = ()
    recovery_action: RecoveryAction = RecoveryAction.NONE
    uncorrected_errors: int = 0
    remapped_rows: int = 0
    """After uncorrectable errors."""
    remap_pending: bool = False
    remap_failed: bool = False
    fabric_state: FabricState = FabricState.COMPLETED


class SimulatedXid(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True
):
    """One event that the driver reported; with another `kind` than `xid`, `code` is 0."""

    number: int
    gpu: str
    code: int = 0
    kind: EventKind = EventKind.XID
    gpu_instance: int | None = None
    compute_instance: int | None = None


class NodeState(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True
):
    node: str
    model: str
    driver_version: str = "550.163.01"
    cuda_driver_version: str = "12.4"
    absent: str = ""
    """Why the driver does not answer; empty when it does."""
    cluster_uuid: str = ""
    """Of the NVLink fabric beyond this node; empty for a node that has none."""
    clique_id: int = 0
    gpus: tuple[SimulatedGpu, ...] = ()
    xids: tuple[SimulatedXid, ...] = ()

    def checked(self) -> NodeState:
        """The same. Raises `BadState` where no GPU could have become so."""
        for gpu in self.gpus:
            profiles = MODELS[gpu.model].mig_profiles if gpu.model in MODELS else ()
            for instance in gpu.instances:
                if not any(
                    profile.id == instance.profile_id and instance.placement in profile.placements
                    for profile in profiles
                ):
                    start, size = instance.placement.start, instance.placement.size
                    raise BadState(
                        f"GPU {gpu.minor}: {gpu.model} has no GPU instance of profile {instance.profile_id}"
                        f" with {size} memory slices from {start} on"
                    )
        return self

    def gpu(self, minor: int) -> SimulatedGpu:
        """Raises `BadState`."""
        for gpu in self.gpus:
            if gpu.minor == minor:
                return gpu
        known = ", ".join(str(gpu.minor) for gpu in self.gpus) or "none"
        raise BadState(f"node {self.node} has no GPU {minor}; there are {known}")

    def of_uuid(self, uuid: str) -> SimulatedGpu | None:
        return next((gpu for gpu in self.gpus if gpu.uuid == uuid), None)

    def with_changed(self, minor: int, **values: Any) -> NodeState:
        """This GPU with these fields changed. Raises `BadState`."""
        return self.with_gpu_as(msgspec.structs.replace(self.gpu(minor), **values))

    def with_fault(self, minor: int, reason: str) -> NodeState:
        """This GPU answers with the reason only ("GPU is lost"); "" makes it well again."""
        return self.with_changed(minor, fault=reason)

    def with_mig(self, minor: int, *, enabled: bool) -> NodeState:
        return self.with_changed(minor, mig_enabled=enabled, mig_pending=None)

    def without_gpu(self, minor: int) -> NodeState:
        """This GPU is taken out of the machine."""
        gone = self.gpu(minor)
        return msgspec.structs.replace(self, gpus=tuple(gpu for gpu in self.gpus if gpu is not gone))

    def with_gpu(self, minor: int) -> NodeState:
        """The GPU of this position is put into the machine. Raises `BadState` where one is."""
        if any(gpu.minor == minor for gpu in self.gpus):
            raise BadState(f"node {self.node} has a GPU {minor} already")
        return self.with_gpu_as(_gpu(self.node, self.model, minor))

    def with_xid(self, minor: int, code: int) -> NodeState:
        """The driver reports this error of this GPU."""
        return self.with_event(minor, EventKind.XID, code)

    def with_event(self, minor: int, kind: EventKind, code: int = 0) -> NodeState:
        number = 1 + max((xid.number for xid in self.xids), default=0)
        xid = SimulatedXid(number=number, gpu=self.gpu(minor).uuid, code=code, kind=kind)
        return msgspec.structs.replace(self, xids=(*self.xids, xid)[-_KEPT_XIDS:])

    def with_driver(self, absent: str = "") -> NodeState:
        """The driver answers, or does not for this reason."""
        return msgspec.structs.replace(self, absent=absent)

    def with_gpu_as(self, gpu: SimulatedGpu) -> NodeState:
        """In the place of the one with its minor number."""
        others = (other for other in self.gpus if other.minor != gpu.minor)
        return msgspec.structs.replace(self, gpus=tuple(sorted((*others, gpu), key=lambda g: g.minor)))


_KEPT_XIDS = 64


def new_node(node: str, model: str, gpus: int) -> NodeState:
    """A node as it leaves the factory. Raises `BadState`."""
    if model not in MODELS:
        raise BadState(f"GPU profile {model!r} cannot be simulated; there are {', '.join(MODELS)}")
    if not 0 <= gpus <= MOST_GPUS:
        raise BadState(f"a simulated node has 0 to {MOST_GPUS} GPUs, not {gpus}")
    made_of = MODELS[model]
    return NodeState(
        node=node,
        model=model,
        driver_version=made_of.driver_version,
        cuda_driver_version=made_of.cuda_driver_version,
        cluster_uuid=_CLUSTER if made_of.spans_nodes else "",
        clique_id=1 if made_of.spans_nodes else 0,
        gpus=tuple(_gpu(node, model, minor) for minor in range(gpus)),
    )


def _gpu(node: str, model: str, minor: int) -> SimulatedGpu:
    if not 0 <= minor < MOST_GPUS:
        raise BadState(f"a simulated node has the GPUs 0 to {MOST_GPUS - 1}, not {minor}")
    place = slot(model, minor)
    return SimulatedGpu(
        minor=minor,
        uuid=f"GPU-{uuid.uuid5(_NAMESPACE, f'{node}/{minor}')}",
        model=model,
        pci_bus_id=place.pci_bus_id,
        pcie_root=place.pcie_root,
        numa_node=place.numa_node,
    )
