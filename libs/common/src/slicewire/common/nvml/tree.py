"""The files a driver and its GPUs put on a node, made up beside a simulated node's state.

So that what reads sysfs and what makes CDI files runs its true code. Plain files: nothing here
computes.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from slicewire.common.nvml.state import NodeState, SimulatedGpu

_NVIDIA = "0x10de\n"
_3D_CONTROLLER = "0x030200\n"
_LIBRARIES = ("libcuda", "libnvidia-ml", "libnvidia-ptxjitcompiler")
_CONTROL_NODES = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset")
_SMI = "#!/bin/sh\necho 'a simulated GPU has no nvidia-smi' >&2\nexit 1\n"


def plant(directory: Path, state: NodeState) -> None:
    """Make `sys/` and `root/` here say what the state says; what has gone from it goes from there."""
    _plant_pci(directory / "sys", state.gpus)
    _plant_driver(directory / "root", state)


def _plant_pci(sys: Path, gpus: tuple[SimulatedGpu, ...]) -> None:
    links = sys / "bus" / "pci" / "devices"
    links.mkdir(parents=True, exist_ok=True)
    present = {gpu.pci_bus_id for gpu in gpus}
    for link in links.iterdir():
        if link.name not in present:
            link.unlink()
            for stale in sys.glob(f"devices/*/*/{link.name}"):
                shutil.rmtree(stale)
    for gpu in gpus:
        port = f"{gpu.pcie_root.removeprefix('pci')}:{gpu.minor + 1:02x}.0"
        inside = Path("devices") / gpu.pcie_root / port / gpu.pci_bus_id
        device = sys / inside
        device.mkdir(parents=True, exist_ok=True)
        (device / "vendor").write_text(_NVIDIA)
        (device / "class").write_text(_3D_CONTROLLER)
        (device / "numa_node").write_text(f"{gpu.numa_node}\n")
        _link(links / gpu.pci_bus_id, Path("../../..") / inside)


def _plant_driver(root: Path, state: NodeState) -> None:
    dev, lib, bin_ = root / "dev", root / "usr/lib/x86_64-linux-gnu", root / "usr/bin"
    for folder in (dev, lib, bin_):
        folder.mkdir(parents=True, exist_ok=True)
    nodes = {*_CONTROL_NODES, *(f"nvidia{gpu.minor}" for gpu in state.gpus)}
    for stale in dev.iterdir():
        if stale.name not in nodes:
            stale.unlink()
    for node in nodes:
        (dev / node).touch()
    for library in _LIBRARIES:
        full = f"{library}.so.{state.driver_version}"
        (lib / full).touch()
        _link(lib / f"{library}.so.1", Path(full))
    smi = bin_ / "nvidia-smi"
    smi.write_text(_SMI)
    smi.chmod(0o755)


def _link(link: Path, target: Path) -> None:
    if not link.is_symlink():
        link.symlink_to(target)
    elif link.readlink() != target:
        link.unlink()
        link.symlink_to(target)
