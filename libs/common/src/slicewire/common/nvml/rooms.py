"""Which room is behind the NVML door: the real one, or the simulated one where that is wanted."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, assert_never

import msgspec

from slicewire.common.nvml.facts import NodeFacts
from slicewire.common.nvml.port import NvmlControl
from slicewire.common.nvml.real import RealNvml
from slicewire.common.nvml.simulated import SimulatedNvml
from slicewire.common.nvml.simulated.state import BadState, new_node
from slicewire.common.settings import BadSettings

Room = Literal["auto", "real", "simulated"]


class NvmlSettings(msgspec.Struct, frozen=True, kw_only=True):
    room: Room = "auto"
    """`auto` simulates only where a state file is named and NVML sees no GPU."""
    library: str = ""
    """Path of libnvidia-ml.so.1; empty lets the loader find it."""
    driver_root: str = "/"
    """Where the real driver's files are; a simulated node has its own."""
    state: str = ""
    """State file of the simulated node; made when it is not there."""
    profile: str = "h100"
    gpus: int = 8
    takes_time: bool = False
    """Simulated GPUs take as long to be cut as real ones."""
    node: str = ""
    """Name of the simulated node: its GPUs' UUIDs are made from it."""


def open_nvml(choice: NvmlSettings) -> NvmlControl:
    """The room of this choice. Raises `BadSettings`; a library or driver that is not there is no error."""
    match choice.room:
        case "real":
            return _real(choice)
        case "simulated":
            return _simulated(choice)
        case "auto":
            return _real_if_it_sees_a_gpu(choice)
        case never:
            assert_never(never)


def _real(choice: NvmlSettings) -> RealNvml:
    return RealNvml(choice.library, Path(choice.driver_root))


def _simulated(choice: NvmlSettings) -> SimulatedNvml:
    if not choice.state:
        raise BadSettings("the simulated NVML room needs a state file: set nvml_state to its path")
    try:
        newborn = new_node(choice.node, choice.profile, choice.gpus)
        return SimulatedNvml(Path(choice.state), newborn, takes_time=choice.takes_time)
    except BadState as error:
        raise BadSettings(f"simulated NVML room: {error}") from error
    except OSError as error:
        raise BadSettings(f"simulated NVML room: nvml_state={choice.state!r}: {error}") from error


def _real_if_it_sees_a_gpu(choice: NvmlSettings) -> NvmlControl:
    real = _real(choice)
    if not choice.state:
        return real
    match real.look():
        case NodeFacts(gpus=gpus, unseen=unseen) if gpus or unseen:
            return real
        case _:
            real.close()
            return _simulated(choice)
