"""The files a driver and its GPUs put on a node, made up beside a simulated node's state.

So that what reads sysfs and procfs, and what makes CDI files, runs its true code. Plain files: nothing
here computes, and only `binding` hears what is written to them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from slicewire.common.nvml.simulated import mpscontrol
from slicewire.common.nvml.simulated.bus import plant_bus
from slicewire.common.nvml.simulated.capabilities import plant_capabilities, plant_cuts
from slicewire.common.nvml.simulated.devnodes import plant_nodes
from slicewire.common.nvml.simulated.planting import keep_only, link, say
from slicewire.common.nvml.simulated.state import NVIDIA, VFIO, NodeState, SimulatedGpu

_LIBRARIES = (
    "libcuda",
    "libcudadebugger",
    "libnvcuvid",
    "libnvidia-cfg",
    "libnvidia-encode",
    "libnvidia-ml",
    "libnvidia-nvvm",
    "libnvidia-opencl",
    "libnvidia-ptxjitcompiler",
)
_FIRMWARE = ("gsp_ga10x.bin", "gsp_tu10x.bin")
_PROGRAMS = (
    "nvidia-smi",
    "nvidia-debugdump",
    "nvidia-persistenced",
    "nvidia-cuda-mps-server",
)
_PROGRAM = "#!/bin/sh\necho 'a simulated GPU has no {name}' >&2\nexit 1\n"
_MPS_CONTROL = f"#!/bin/sh\nexec '{sys.executable}' -I -S '{mpscontrol.__file__}' \"$0\" \"$@\"\n"
"""Without what is installed beside it: it starts in a fraction of the time."""


def plant(directory: Path, state: NodeState) -> None:
    """Make `sys/`, `proc/` and `root/` here say what the state says, and nothing else."""
    driven = _driven(state)
    passed_through = tuple(gpu for gpu in state.gpus if gpu.kernel_driver == VFIO)
    plant_bus(directory / "sys", state.gpus)
    _plant_vfio_names(directory / "sys/bus/pci/devices", state.gpus)
    plant_capabilities(directory / "proc", driven)
    plant_nodes(directory / "root/dev", driven, passed_through)
    _plant_libraries(directory / "root/usr/lib/x86_64-linux-gnu", state.driver_version)
    _plant_programs(directory / "root/usr/bin")
    _plant_firmware(directory / "root/lib/firmware/nvidia", state.driver_version)


def plant_cut(directory: Path, gpu: SimulatedGpu) -> None:
    """The same, where no more was changed since than how this GPU is cut and set."""
    plant_cuts(directory / "proc", gpu)


def _driven(state: NodeState) -> tuple[SimulatedGpu, ...]:
    return tuple(gpu for gpu in state.gpus if gpu.kernel_driver == NVIDIA)


def _plant_vfio_names(devices: Path, gpus: tuple[SimulatedGpu, ...]) -> None:
    """How sysfs says which node under /dev/vfio/devices a GPU has."""
    for gpu in gpus:
        names = devices / gpu.pci_bus_id / "vfio-dev"
        names.mkdir(exist_ok=True)
        wanted = {f"vfio{gpu.minor}"} if gpu.kernel_driver == VFIO else set[str]()
        keep_only(names, wanted)
        for name in wanted:
            (names / name).mkdir(exist_ok=True)


def _plant_libraries(folder: Path, version: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for library in _LIBRARIES:
        full = f"{library}.so.{version}"
        (folder / full).touch()
        link(folder / f"{library}.so.1", Path(full))
    keep_only(folder, {f"{library}.so.{tail}" for library in _LIBRARIES for tail in ("1", version)})


def _plant_programs(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    programs = {name: _PROGRAM.format(name=name) for name in _PROGRAMS}
    for name, text in {**programs, "nvidia-cuda-mps-control": _MPS_CONTROL}.items():
        say(folder / name, text)
        (folder / name).chmod(0o755)


def _plant_firmware(folder: Path, version: str) -> None:
    (folder / version).mkdir(parents=True, exist_ok=True)
    keep_only(folder, {version})
    for name in _FIRMWARE:
        (folder / version / name).touch()
