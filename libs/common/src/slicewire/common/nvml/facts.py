"""What NVML says of a node, as plain values.

Pure, and nothing is interpreted here: versions and bus ids are as NVML writes them.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


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
    mig_enabled: bool = False


class Unseen(msgspec.Struct, frozen=True):
    """Something that is there and could not be read, and why. `pci_bus_id` where at least that is known."""

    what: str
    reason: str
    pci_bus_id: str = ""


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


class EventKind(StrEnum):
    XID = "xid"
    """The driver reports an error of a GPU; `code` is its number."""
    MEMORY_ERROR = "memoryError"
    """An ECC error that was not corrected."""
    UNHEARD = "unheard"
    """NVML can no longer say what happens: look again."""
    CHANGED = "changed"
    """The simulated node was changed."""


class Event(msgspec.Struct, frozen=True):
    """Something happened. It says that looking again is worth while, never what the state is now."""

    kind: EventKind
    gpu: str = ""
    """The UUID, where NVML names a GPU."""
    code: int = 0
