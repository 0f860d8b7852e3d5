"""`/dev` of a simulated node: the control nodes of the driver, its GPUs, and those that VFIO has.

Where we may make character devices, each is a `/dev/null` under the name of the real one: container
runtimes put nothing else into a container. Elsewhere they are plain files, good for all but that.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from slicewire.common.nvml.simulated.planting import keep_only
from slicewire.common.nvml.simulated.state import SimulatedGpu

_CONTROL_NODES = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset", "iommu")
_NULL = os.makedev(1, 3)
_USABLE_BY_ALL = 0o666


def plant_nodes(dev: Path, driven: Iterable[SimulatedGpu], passed_through: Iterable[SimulatedGpu]) -> None:
    """A GPU that VFIO has is there twice: by its IOMMU group, and as a device of its own."""
    groups = {str(gpu.minor): f"vfio{gpu.minor}" for gpu in passed_through}
    folders = {
        dev: {*_CONTROL_NODES, *(f"nvidia{gpu.minor}" for gpu in driven)},
        dev / "vfio": {"vfio", *groups},
        dev / "vfio/devices": set(groups.values()),
    }
    (dev / "vfio/devices").mkdir(parents=True, exist_ok=True)
    for folder, nodes in folders.items():
        keep_only(folder, nodes | {below.name for below in folders if below.parent == folder})
        for node in sorted(nodes):
            _plant(folder / node)


def _plant(node: Path) -> None:
    """In place of a plain file that somebody with fewer rights has left, too."""
    if node.is_char_device():
        return
    beside = node.with_name(f".{node.name}.new")
    beside.unlink(missing_ok=True)
    try:
        os.mknod(beside, stat.S_IFCHR | _USABLE_BY_ALL, _NULL)
    except OSError:  # it takes CAP_MKNOD, and a file system that has devices
        node.touch()
        return
    beside.chmod(_USABLE_BY_ALL)
    beside.replace(node)
