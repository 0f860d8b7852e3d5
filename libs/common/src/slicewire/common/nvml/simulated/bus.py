"""`/sys` of a simulated node: its GPUs on the PCI bus, the kernel driver of each, and IOMMU groups.

Every GPU is alone in the IOMMU group that has its minor number.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from slicewire.common.nvml.simulated.planting import keep_only, link, say
from slicewire.common.nvml.simulated.profiles import MODELS
from slicewire.common.nvml.simulated.state import NVIDIA, VFIO, SimulatedGpu

DRIVERS = (NVIDIA, VFIO)
_NVIDIA = "0x10de"
_3D_CONTROLLER = "0x030200"
_MIB = 1 << 20
_64_BIT_MEMORY, _PREFETCHABLE = 0x140204, 0x14220C
_ROOM = 1 << 40
"""For the addresses of one GPU."""
_LINES = 13
"""Of `resource`: six base address registers, the ROM, and six of which a GPU has none."""
_UP = Path("../../../..")
"""From a GPU's folder, `sys/devices/<root>/<port>/<GPU>`, to `sys`."""


def plant_bus(sys: Path, gpus: Iterable[SimulatedGpu]) -> None:
    by_bus_id = {gpu.pci_bus_id: gpu for gpu in gpus}
    links = sys / "bus/pci/devices"
    groups = sys / "kernel/iommu_groups"
    for folder in (links, groups, sys / "module/vfio_pci"):
        folder.mkdir(parents=True, exist_ok=True)
    for gone in {found.name for found in links.iterdir()} - set(by_bus_id):
        for stale in sys.glob(f"devices/*/*/{gone}"):
            shutil.rmtree(stale)
    keep_only(links, set(by_bus_id))
    keep_only(groups, {str(gpu.minor) for gpu in by_bus_id.values()})
    _plant_drivers(sys / "bus/pci")
    for gpu in by_bus_id.values():
        _plant_gpu(sys, gpu)


def _plant_drivers(pci: Path) -> None:
    files = ["drivers_probe", *(f"drivers/{name}/{file}" for name in DRIVERS for file in ("bind", "unbind"))]
    for file in files:
        (pci / file).parent.mkdir(parents=True, exist_ok=True)
        (pci / file).touch()


def _plant_gpu(sys: Path, gpu: SimulatedGpu) -> None:
    port = f"{gpu.pcie_root.removeprefix('pci')}:{gpu.minor + 1:02x}.0"
    inside = Path("devices") / gpu.pcie_root / port / gpu.pci_bus_id
    device = sys / inside
    device.mkdir(parents=True, exist_ok=True)
    model = MODELS.get(gpu.model)
    facts = {
        "vendor": _NVIDIA,
        "device": model.pci_device_id if model else "0xffff",
        "class": _3D_CONTROLLER,
        "resource": _regions(gpu.minor, model.memory_bytes if model else 0),
        "numa_node": str(gpu.numa_node),
    }
    for name, text in facts.items():
        say(device / name, f"{text}\n")
    (device / "driver_override").touch()
    _plant_driver_link(device, gpu.kernel_driver)
    group = Path("kernel/iommu_groups") / str(gpu.minor)
    (sys / group / "devices").mkdir(parents=True, exist_ok=True)
    link(device / "iommu_group", _UP / group)
    link(sys / group / "devices" / gpu.pci_bus_id, _UP / inside)
    link(sys / "bus/pci/devices" / gpu.pci_bus_id, Path("../../..") / inside)


def _regions(minor: int, memory_bytes: int) -> str:
    """Registers, all of the memory, and a small window: the 64-bit base address registers of a GPU for
    data centres, each at a multiple of its size."""
    memory = 1 << (memory_bytes - 1).bit_length() if memory_bytes else 0
    regions = ((16 * _MIB, _64_BIT_MEMORY), (memory, _PREFETCHABLE), (32 * _MIB, _PREFETCHABLE))
    lines = [_region(0, 0, 0)] * _LINES
    for number, (size, flags) in enumerate(regions):
        start = (minor + 1) * _ROOM + number * _ROOM // 4
        if size:
            lines[2 * number] = _region(start, start + size - 1, flags)
    return "\n".join(lines)


def _region(*numbers: int) -> str:
    return " ".join(f"0x{number:016x}" for number in numbers)


def _plant_driver_link(device: Path, driver: str) -> None:
    if driver:
        link(device / "driver", _UP / "bus/pci/drivers" / driver)
    else:
        (device / "driver").unlink(missing_ok=True)
