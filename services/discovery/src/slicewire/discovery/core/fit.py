"""Which GPUs of NVML can be offered at all, and why the others cannot."""

from __future__ import annotations

from collections.abc import Mapping

from slicewire.common.model.naming import gpu_name
from slicewire.common.nvml.facts import GpuFacts, Unseen
from slicewire.discovery.core import pci
from slicewire.discovery.core.attributes import LONGEST_VALUE_BYTES


def told_apart(gpus: tuple[GpuFacts, ...]) -> tuple[Mapping[str, GpuFacts], tuple[Unseen, ...]]:
    """GPUs by bus id, and those that cannot be offered. Of two with one name the first is believed."""
    fit: dict[str, GpuFacts] = {}
    unfit: list[Unseen] = []
    for gpu in gpus:
        bus = pci.bus_id(gpu.pci_bus_id)
        reason = _unfit(gpu) or _taken(gpu, bus, fit)
        if bus is None or reason:
            why = reason or f"PCI bus id {gpu.pci_bus_id!r} is not domain:bus:device.function"
            unfit.append(Unseen(f"gpu-{gpu.minor}", why, gpu.pci_bus_id))
        else:
            fit[bus] = gpu
    return fit, tuple(unfit)


def _unfit(gpu: GpuFacts) -> str:
    if gpu.minor < 0:
        return f"minor number {gpu.minor} is negative"
    if not gpu.uuid:
        return "it has no UUID"
    if len(gpu.uuid.encode(errors="replace")) > LONGEST_VALUE_BYTES:
        return f"UUID {gpu.uuid!r} is longer than the {LONGEST_VALUE_BYTES} bytes Kubernetes takes"
    if gpu.memory_bytes is not None and gpu.memory_bytes < 0:
        return f"memory of {gpu.memory_bytes} bytes is negative"
    return ""


def _taken(gpu: GpuFacts, bus: str | None, fit: Mapping[str, GpuFacts]) -> str:
    for other_bus, other in fit.items():
        if gpu.minor == other.minor:
            return f"minor number {gpu.minor} is also that of {other.uuid}"
        if gpu.uuid == other.uuid:
            return f"{gpu.uuid} is also the UUID of {gpu_name(other.minor)}"
        if bus == other_bus:
            return f"PCI bus id {bus} is also that of {gpu_name(other.minor)}"
    return ""
