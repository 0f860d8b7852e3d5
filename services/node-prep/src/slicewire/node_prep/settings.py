"""What node-prep can be told from outside."""

from __future__ import annotations

from typing import Annotated

import msgspec

from slicewire.common.model import DriverName
from slicewire.common.model.naming import NVIDIA_DRIVER
from slicewire.common.nvml.rooms import NvmlSettings, Room
from slicewire.common.settings import CommonSettings

PART = "NODE_PREP"


class Settings(CommonSettings, frozen=True, kw_only=True):
    driver: DriverName = NVIDIA_DRIVER
    """Name of the DRA driver that the devices belong to."""
    kubelet: bool = True
    """False where there is no kubelet: then only the bus is answered."""
    plugin_dir: str = "/var/lib/kubelet/plugins/gpu.nvidia.com"
    """Where the checkpoint is and the kubelet asks; the kubelet must see it under the same path."""
    registry_dir: str = "/var/lib/kubelet/plugins_registry"
    """Where the kubelet looks for plugins."""
    cdi_root: str = "/var/run/cdi"
    """Where container runtimes look for CDI specs."""
    ledger_wait_seconds: Annotated[float, msgspec.Meta(ge=0)] = 5.0
    """How long a question waits for the ledger to have its claim."""
    driver_root: str = "/"
    """Where the driver is installed, as seen from here."""
    host_driver_root: str = ""
    """Where it is installed as seen from the host; empty: at the same place."""
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
