"""The files a driver and its GPUs put on a node, made up beside a simulated node's state.

So that what reads sysfs and procfs, and what makes CDI files, runs its true code. Plain files: nothing
here computes, and only `binding` hears what is written to them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from slicewire.common.nvml.simulated.bus import plant_bus
from slicewire.common.nvml.simulated.capabilities import plant_capabilities
from slicewire.common.nvml.simulated.planting import keep_only, link, say
from slicewire.common.nvml.simulated.state import NodeState, SimulatedGpu

_LIBRARIES = ("libcuda", "libnvidia-ml", "libnvidia-ptxjitcompiler")
_CONTROL_NODES = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset")
_SMI = "#!/bin/sh\necho 'a simulated GPU has no nvidia-smi' >&2\nexit 1\n"


def plant(directory: Path, state: NodeState) -> None:
    """Make `sys/`, `proc/` and `root/` here say what the state says, and nothing else."""
    driven = tuple(gpu for gpu in state.gpus if gpu.kernel_driver == "nvidia")
    plant_bus(directory / "sys", state.gpus)
    plant_capabilities(directory / "proc", driven)
    _plant_devices(directory / "root" / "dev", state.gpus, driven)
    _plant_driver(directory / "root", state.driver_version)


def _plant_devices(dev: Path, gpus: Iterable[SimulatedGpu], driven: Iterable[SimulatedGpu]) -> None:
    groups = (gpu.minor for gpu in gpus if gpu.kernel_driver == "vfio-pci")
    vfio = {f"vfio/{group}" for group in groups}
    nodes = {*_CONTROL_NODES, *(f"nvidia{gpu.minor}" for gpu in driven), "vfio/vfio", *vfio}
    (dev / "vfio").mkdir(parents=True, exist_ok=True)
    keep_only(dev, {node.partition("/")[0] for node in nodes})
    keep_only(dev / "vfio", {node.removeprefix("vfio/") for node in nodes})
    for node in nodes:
        (dev / node).touch()


def _plant_driver(root: Path, driver_version: str) -> None:
    lib, bin_ = root / "usr/lib/x86_64-linux-gnu", root / "usr/bin"
    for folder in (lib, bin_):
        folder.mkdir(parents=True, exist_ok=True)
    for library in _LIBRARIES:
        full = f"{library}.so.{driver_version}"
        (lib / full).touch()
        link(lib / f"{library}.so.1", Path(full))
    kept = {f"{library}.so.{tail}" for library in _LIBRARIES for tail in ("1", driver_version)}
    keep_only(lib, kept)
    smi = bin_ / "nvidia-smi"
    say(smi, _SMI)
    smi.chmod(0o755)
