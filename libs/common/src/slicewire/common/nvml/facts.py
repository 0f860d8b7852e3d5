"""What NVML says of a node, as plain values.

Pure, and nothing is interpreted here: versions and bus ids are as NVML writes them. How a GPU is cut
is in `partitions`, how it fares in `condition`.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from slicewire.common.nvml.condition import Condition
from slicewire.common.nvml.partitions import Mig
from slicewire.common.nvml.refusal import NvmlCode


class ComputeMode(StrEnum):
    """How many processes may compute on a GPU at once."""

    DEFAULT = "default"
    PROHIBITED = "prohibited"
    EXCLUSIVE_THREAD = "exclusiveThread"
    EXCLUSIVE_PROCESS = "exclusiveProcess"


class TimeSlice(StrEnum):
    """How long a process computes before the next one may; the words of NVIDIA's DRA driver."""

    DEFAULT = "Default"
    SHORT = "Short"
    MEDIUM = "Medium"
    LONG = "Long"


class PeerKind(StrEnum):
    GPU = "gpu"
    SWITCH = "switch"
    OTHER = "other"


class NvLink(msgspec.Struct, frozen=True, kw_only=True):
    """One active NVLink of a GPU."""

    link: int
    version: str
    """`4.0`; empty where the driver does not say."""
    peer: PeerKind
    peer_pci_bus_id: str
    """Of a GPU in this node or of a switch; as NVML writes it."""


class FabricState(StrEnum):
    NOT_STARTED = "notStarted"
    IN_PROGRESS = "inProgress"
    COMPLETED = "completed"


class Fabric(msgspec.Struct, frozen=True, kw_only=True):
    """A GPU's place in an NVLink fabric of several nodes."""

    state: FabricState
    status: str = ""
    """Why it was not completed; empty where it was."""
    cluster_uuid: str = ""
    """Empty, as the zero UUID is, where the GPU belongs to no fabric beyond its node."""
    clique_id: int = 0


class Unseen(msgspec.Struct, frozen=True):
    """Something that is there and could not be read, and why. `pci_bus_id` where at least that is known."""

    what: str
    reason: str
    pci_bus_id: str = ""
    code: NvmlCode | None = None
    """NVML's answer, where it gave one: `LOST` for a GPU that fell off the bus."""


class GpuFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One GPU. None where this GPU or this driver has no such thing."""

    minor: int
    """`/dev/nvidia<minor>`."""
    uuid: str
    pci_bus_id: str
    """As NVML writes it: `00000000:1A:00.0`."""
    product_name: str
    brand: str
    architecture: str
    cuda_compute_capability: str
    """`9.0`."""
    memory_bytes: int | None = None
    addressing_mode: str | None = None
    mig: Mig | None = None
    """None where it cannot be cut."""
    pci_device_id: str | None = None
    """`0x2330`; the vendor is `0x10de` always."""
    module_id: int | None = None
    """Which socket of a multi-GPU board, from 1."""
    is_vgpu: bool = False
    """A part of a GPU that a hypervisor hands to this machine."""
    compute_mode: ComputeMode | None = None
    time_slice: TimeSlice | None = None
    """NVML does not tell it: known of simulated GPUs only."""
    persistence: bool | None = None
    power_limit_milliwatts: int | None = None
    links: tuple[NvLink, ...] = ()
    fabric: Fabric | None = None
    condition: Condition = Condition()
    unread: tuple[Unseen, ...] = ()
    """Parts of this GPU that could not be read; it can be used all the same."""

    @property
    def mig_enabled(self) -> bool:
        return self.mig is not None and self.mig.enabled


class NodeFacts(msgspec.Struct, frozen=True, kw_only=True):
    driver_version: str
    """`550.163.01`."""
    cuda_driver_version: str
    """`12.4`."""
    gpus: tuple[GpuFacts, ...] = ()
    unseen: tuple[Unseen, ...] = ()


class NvmlAbsent(msgspec.Struct, frozen=True):
    """No word from NVML at all. It may come later: a driver is often installed after the node is up."""

    reason: str


class Process(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A process that has the GPU open for compute or graphics."""

    pid: int
    memory_bytes: int | None = None
    gpu_instance: int | None = None
    compute_instance: int | None = None


class EventKind(StrEnum):
    XID = "xid"
    """The driver reports an error of a GPU; `code` is its number."""
    MEMORY_ERROR = "memoryError"
    """An ECC error that was not corrected."""
    RECOVERY = "recovery"
    """What must be done to have the GPU back has changed, or the GPU can no longer be used."""
    UNHEARD = "unheard"
    """NVML can no longer say what happens: look again."""
    CHANGED = "changed"
    """Its configuration was changed: MIG devices made or removed, or anything of a simulated node."""


class Event(msgspec.Struct, frozen=True):
    """Something happened. It says that looking again is worth while, never what the state is now."""

    kind: EventKind
    gpu: str = ""
    """The UUID, where NVML names a GPU."""
    code: int = 0
    gpu_instance: int | None = None
    """Where it happened in one part of the GPU only; with `compute_instance` the MIG device."""
    compute_instance: int | None = None
