"""What discovery can be told from outside."""

from __future__ import annotations

from typing import Annotated

import msgspec

from slicewire.common.model import DriverName
from slicewire.common.model.naming import NVIDIA_DRIVER
from slicewire.common.nvml.rooms import NvmlSettings, Room
from slicewire.common.settings import CommonSettings

PART = "DISCOVERY"


class Settings(CommonSettings, frozen=True, kw_only=True):
    driver: DriverName = NVIDIA_DRIVER
    """Name of the DRA driver that the pool belongs to."""
    look_every_seconds: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    """How often to look when NVML reports nothing."""
    nvml_room: Room = "auto"
    """`real`, `simulated`, or `auto`: simulated only where a state file is named and NVML sees no GPU."""
    nvml_library: str = ""
    """Path of libnvidia-ml.so.1; empty: below the driver root, or where the loader finds it."""
    driver_root: str = "/"
    """Where the driver is installed, as seen from here."""
    nvml_state: str = ""
    """State file of the simulated node."""
    nvml_profile: str = "h100"
    """GPU model of a new simulated node."""
    nvml_gpus: int = 8
    """GPUs of a new simulated node."""
    sysfs_root: str = ""
    """The directory that holds sys/; empty: `/`, or the simulated node's."""

    @property
    def nvml(self) -> NvmlSettings:
        return NvmlSettings(
            room=self.nvml_room,
            library=self.nvml_library,
            driver_root=self.driver_root,
            state=self.nvml_state,
            profile=self.nvml_profile,
            gpus=self.nvml_gpus,
            node=self.node_name,
        )
