"""What sysfs knows of a GPU's place on the PCI bus.

Values as sysfs writes them; the functions read their meaning, or say None where there is none.
"""

from __future__ import annotations

import re

import msgspec

_BUS_ID = re.compile(r"(?:0000)?([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f])", re.IGNORECASE)
"""NVML writes eight digits of domain, sysfs and Kubernetes four: no domain above 0xffff has a name."""
_ROOT = re.compile(r"pci[0-9a-f]{4}:[0-9a-f]{2}")
_WHOLE_NUMBER = re.compile(r"\d{1,9}")
_REGION = re.compile(r"0x([0-9a-f]{1,16}) 0x([0-9a-f]{1,16}) 0x([0-9a-f]{1,16})")
_BARS = 6
"""Lines of `resource` that are base address registers; behind them are the ROM and those of functions."""
_WIDTH, _64_BIT = 0x06, 0x04
"""Bits of a region's flags that say how wide its addresses are (PCI Local Bus Specification, 6.2.5.1)."""
VENDOR = "0x10de"
"""NVIDIA's number."""
DRIVER = "nvidia"
"""NVIDIA's kernel driver: NVML speaks of the GPUs that it has."""


class PciGpu(msgspec.Struct, frozen=True):
    """An NVIDIA GPU on the bus, whether or not the driver has it."""

    bus_id: str
    path: str = ""
    """Where its link in `/sys/bus/pci/devices` leads: `../../../devices/pci0000:00/…`."""
    numa_node: str = ""
    """The text of `numa_node`: `1`, or `-1` where the machine has no such thing."""
    kernel_driver: str = ""
    """The kernel driver that has it: `nvidia`, `vfio-pci`; empty for none."""
    device_id: str = ""
    """The text of `device`: `0x2330`."""
    override: str = ""
    """The text of `driver_override`: the only driver that may have it; empty for any."""
    resource: str = ""
    """The text of `resource`: start, end and flags of each region, a line each."""


def bus_id(text: str) -> str | None:
    """`00000000:1A:00.0` → `0000:1a:00.0`, the form of `resource.kubernetes.io/pciBusID`."""
    match = _BUS_ID.fullmatch(text)
    return match[1].lower() if match else None


def pcie_root(gpu: PciGpu) -> str | None:
    """`pci0000:00`: the root complex that everything below it reaches without leaving."""
    return next((part for part in gpu.path.split("/") if _ROOT.fullmatch(part)), None)


def numa_node(gpu: PciGpu) -> int | None:
    text = gpu.numa_node.strip()
    return int(text) if _WHOLE_NUMBER.fullmatch(text) else None


def is_for_machines(gpu: PciGpu) -> bool:
    """It is, or can at once be, with a driver that hands it to a virtual machine."""
    return not gpu.kernel_driver or "vfio" in gpu.kernel_driver


def is_to_be_let_go(gpu: PciGpu) -> bool:
    """It is reserved for a virtual machine, and the driver that has it is about to be taken off."""
    return "vfio" in gpu.override and bool(gpu.kernel_driver) and "vfio" not in gpu.kernel_driver


def addressable_memory(gpu: PciGpu) -> int | None:
    """Bytes of its 64-bit regions, rounded up to a power of two; None where it has none."""
    regions = [_REGION.fullmatch(line.strip().lower()) for line in gpu.resource.splitlines()[:_BARS]]
    read = [tuple(int(text, 16) for text in region.groups()) for region in regions if region]
    total = sum(end - start + 1 for start, end, flags in read if flags & _WIDTH == _64_BIT and end > start)
    return 1 << (total - 1).bit_length() if total else None
