"""What both agents of a node are told about its GPUs."""

from __future__ import annotations

from slicewire.common.nvml.rooms import NvmlSettings, Room
from slicewire.common.settings import CommonSettings


class NodeAgentSettings(CommonSettings, frozen=True, kw_only=True):
    """Each agent has these under its own prefix, so that one may look at another library than the other."""

    driver_root: str = "/"
    """Where the driver is installed, as seen from here."""
    nvml_room: Room = "auto"
    """`real`, `simulated`, or `auto`: simulated only where a state file is named and NVML sees no GPU."""
    nvml_library: str = ""
    """Path of libnvidia-ml.so.1; empty: below the driver root, or where the loader finds it."""
    nvml_state: str = ""
    """State file of the simulated node."""
    nvml_profile: str = "h100"
    """GPU model of a new simulated node."""
    nvml_gpus: int = 8
    """GPUs of a new simulated node."""
    nvml_takes_time: bool = False
    """Simulated GPUs take as long to be cut as real ones."""

    @property
    def nvml(self) -> NvmlSettings:
        return NvmlSettings(
            room=self.nvml_room,
            library=self.nvml_library,
            driver_root=self.driver_root,
            state=self.nvml_state,
            profile=self.nvml_profile,
            gpus=self.nvml_gpus,
            takes_time=self.nvml_takes_time,
            node=self.node_name,
        )
