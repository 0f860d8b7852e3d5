"""What the kernel of a simulated node does when somebody writes to its PCI bus.

`bind`, `unbind`, `driver_override` and `drivers_probe` of sysfs are plain files here; whatever was
written to them since the last look is done now, and they are empty again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from slicewire.common.nvml.simulated.bus import DRIVERS
from slicewire.common.nvml.simulated.state import NodeState, SimulatedGpu

_HEARD = ("drivers_probe", *(f"drivers/{driver}/{file}" for driver in DRIVERS for file in ("bind", "unbind")))


def is_silent(sys: Path) -> bool:
    """Nothing was written since the last look."""
    return not any(_size(f"{sys}/bus/pci/{file}") for file in _HEARD)


def as_bound(sys: Path, state: NodeState) -> NodeState:
    """The state with every GPU at the driver it was given to."""
    if is_silent(sys):
        return state
    pci = sys / "bus/pci"
    for driver in DRIVERS:
        for gpu in _written(pci / "drivers" / driver / "unbind", state):
            if gpu.kernel_driver == driver:
                state = state.with_changed(gpu.minor, kernel_driver="", processes=())
    for driver in DRIVERS:
        for gpu in _written(pci / "drivers" / driver / "bind", state):
            if not gpu.kernel_driver and _may_have(pci, gpu) in {"", driver}:
                state = state.with_changed(gpu.minor, kernel_driver=driver)
    for gpu in _written(pci / "drivers_probe", state):
        if not gpu.kernel_driver:
            state = state.with_changed(gpu.minor, kernel_driver=_may_have(pci, gpu) or DRIVERS[0])
    return state


def _written(file: Path, state: NodeState) -> Iterator[SimulatedGpu]:
    """The GPUs whose bus ids are in the file, which is empty then."""
    bus_ids = set(_text(file).split())
    if bus_ids:
        file.write_text("")
    return (gpu for gpu in state.gpus if gpu.pci_bus_id in bus_ids)


def _may_have(pci: Path, gpu: SimulatedGpu) -> str:
    """The one driver that may have this GPU; empty for any."""
    return _text(pci / "devices" / gpu.pci_bus_id / "driver_override")


def _size(file: str) -> int:
    try:
        return os.stat(file).st_size  # noqa: PTH116 - a Path costs more than the question
    except OSError:
        return 0


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return ""
