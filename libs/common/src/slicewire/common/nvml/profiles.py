"""The GPU models and the board that the simulated room knows.

Figures as NVML gives them on the real product. Buses, PCIe roots and NUMA nodes are those of an
8-GPU server: neighbours share a root, halves share a NUMA node.
"""

from __future__ import annotations

import msgspec

_MIB = 1024**2


class Model(msgspec.Struct, frozen=True):
    product_name: str
    architecture: str
    cuda_compute_capability: str
    memory_bytes: int
    brand: str = "Nvidia"


class Slot(msgspec.Struct, frozen=True):
    """Where on the board a GPU sits. `pci_bus_id` as sysfs writes it."""

    pci_bus_id: str
    pcie_root: str
    numa_node: int


MODELS = {
    "h100": Model("NVIDIA H100 80GB HBM3", "Hopper", "9.0", 81559 * _MIB),
    "a100-40gb": Model("NVIDIA A100-SXM4-40GB", "Ampere", "8.0", 40960 * _MIB),
    "a100-80gb": Model("NVIDIA A100-SXM4-80GB", "Ampere", "8.0", 81920 * _MIB),
    "l40s": Model("NVIDIA L40S", "Ada Lovelace", "8.9", 46068 * _MIB),
    "t4": Model("Tesla T4", "Turing", "7.5", 15360 * _MIB),
}

_BUSES_OF_A100 = ("07", "0f", "47", "4e", "87", "90", "b7", "bd")
_BUSES = ("1a", "1b", "4a", "4b", "8a", "8b", "ca", "cb")
MOST_GPUS = 16


def slot(model: str, position: int) -> Slot:
    """The slot of the GPU at this position; from the ninth on, on a second PCI domain."""
    domain, place = divmod(position, len(_BUSES))
    buses = _BUSES_OF_A100 if model.startswith("a100") else _BUSES
    half = place * 2 // len(buses)
    return Slot(
        pci_bus_id=f"{domain:04x}:{buses[place]}:00.0",
        pcie_root=f"pci{domain:04x}:{'80' if half else '00'}",
        numa_node=2 * domain + half,
    )
