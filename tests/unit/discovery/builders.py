"""Facts of a node, with only what a test is about spelled out."""

from __future__ import annotations

import msgspec

from slicewire.common.nvml.facts import GpuFacts, NodeFacts, Unseen
from slicewire.discovery.core.pci import PciGpu

BUSES = ("1a", "1b", "4a", "4b")


def a_gpu(minor: int = 0, **known: object) -> GpuFacts:
    gpu = GpuFacts(
        minor=minor,
        uuid=f"GPU-{minor}",
        pci_bus_id=f"00000000:{BUSES[minor % 4].upper()}:00.0",
        product_name="NVIDIA H100 80GB HBM3",
        brand="Nvidia",
        architecture="Hopper",
        cuda_compute_capability="9.0",
        memory_bytes=80 * 1024**3,
    )
    return msgspec.structs.replace(gpu, **known)


def a_node(*gpus: GpuFacts, unseen: tuple[Unseen, ...] = (), driver_version: str = "550.163.01") -> NodeFacts:
    return NodeFacts(driver_version=driver_version, cuda_driver_version="12.4", gpus=gpus, unseen=unseen)


def a_place(bus: str = "1a", root: str = "pci0000:00", numa: str = "0", driver: str = "nvidia") -> PciGpu:
    bus_id = f"0000:{bus}:00.0"
    return PciGpu(bus_id, f"../../../devices/{root}/0000:00:01.0/{bus_id}", numa, driver)
