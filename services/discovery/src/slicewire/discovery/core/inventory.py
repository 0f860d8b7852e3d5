"""What was seen of a node → the devices of its pool, and what is there but cannot be offered.

Devices are in the order of their PCI bus ids: kube-scheduler takes the first that fit, and
neighbours on the bus share a PCIe root, so a claim for two gets a close pair. (By name, gpu-10
would come before gpu-2.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from slicewire.common.model import Device
from slicewire.common.model.naming import gpu_name
from slicewire.common.nvml.facts import GpuFacts, NodeFacts, NvmlAbsent, Unseen
from slicewire.discovery.core import pci
from slicewire.discovery.core.attributes import attributes, capacity
from slicewire.discovery.core.pci import PciGpu

_MIG = (
    "MIG mode is on: the whole GPU cannot be given away, and its partitions are not published."
    " Turn MIG mode off to offer it"
)


class Inventory(msgspec.Struct, frozen=True):
    """The whole truth about a node, as of one look."""

    devices: tuple[Device, ...] = ()
    unseen: tuple[Unseen, ...] = ()


def inventory(node: NodeFacts | NvmlAbsent, on_the_bus: tuple[PciGpu, ...]) -> Inventory:
    """Never fails: what cannot be offered is said in `unseen`, and the rest is offered."""
    match node:
        case NvmlAbsent(reason):
            told = (Unseen("NVML", reason), *_left_out((), on_the_bus))
            return Inventory(unseen=told)
        case NodeFacts():
            return _of(node, on_the_bus)


def _of(node: NodeFacts, on_the_bus: tuple[PciGpu, ...]) -> Inventory:
    places = {place.bus_id: place for place in on_the_bus}
    fit, unfit = _told_apart(node.gpus)
    devices: list[Device] = []
    odd: list[Unseen] = []
    for bus, gpu in sorted(fit.items()):
        known, strange = attributes(node, gpu, places.get(bus, PciGpu(bus)))
        name = gpu_name(gpu.minor)
        devices.append(Device(name=name, attributes=known, capacity=capacity(gpu)))
        odd += (Unseen(f"{name} {value.name}", value.reason, bus) for value in strange)
    unseen = (*node.unseen, *unfit, *odd)
    nvml_has = (*fit, *(pci.bus_id(one.pci_bus_id) for one in unseen))
    return Inventory(tuple(devices), (*unseen, *_left_out(nvml_has, on_the_bus)))


def _told_apart(gpus: tuple[GpuFacts, ...]) -> tuple[Mapping[str, GpuFacts], tuple[Unseen, ...]]:
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
    if gpu.memory_bytes is not None and gpu.memory_bytes < 0:
        return f"memory of {gpu.memory_bytes} bytes is negative"
    return _MIG if gpu.mig_enabled else ""


def _taken(gpu: GpuFacts, bus: str | None, fit: Mapping[str, GpuFacts]) -> str:
    for other_bus, other in fit.items():
        if gpu.minor == other.minor:
            return f"minor number {gpu.minor} is also that of {other.uuid}"
        if gpu.uuid == other.uuid:
            return f"{gpu.uuid} is also the UUID of gpu-{other.minor}"
        if bus == other_bus:
            return f"PCI bus id {bus} is also that of gpu-{other.minor}"
    return ""


def _left_out(nvml_has: tuple[str | None, ...], on_the_bus: tuple[PciGpu, ...]) -> Iterator[Unseen]:
    for gpu in on_the_bus:
        if gpu.bus_id not in nvml_has:
            holder = f"kernel driver {gpu.kernel_driver} has it" if gpu.kernel_driver else "no driver has it"
            reason = f"an NVIDIA GPU is on the PCI bus here, but NVML has no device for it; {holder}"
            yield Unseen(gpu.bus_id, reason, gpu.bus_id)
