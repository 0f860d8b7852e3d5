"""What discovery can be told from outside."""

from __future__ import annotations

from typing import Annotated

import msgspec

from slicewire.common.model import DriverName
from slicewire.common.model.naming import NVIDIA_DRIVER
from slicewire.common.nvml.settings import NodeAgentSettings

PART = "DISCOVERY"


class Settings(NodeAgentSettings, frozen=True, kw_only=True):
    driver: DriverName = NVIDIA_DRIVER
    """Name of the DRA driver that the pool belongs to."""
    look_every_seconds: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    """How often to look when NVML reports nothing."""
    sysfs_root: str = ""
    """The directory that holds sys/; empty: `/`, or the simulated node's."""
    policy_file: str = ""
    """The node policy (YAML): what is offered of which GPU. Empty: whole GPUs, and partitions that exist."""
    names_file: str = ""
    """Remembers the numbers in GPUs' names over reboots. Empty: for as long as discovery runs."""
    health_file: str = ""
    """Remembers what is wrong with GPUs. Empty: the stream does, for as long as it has the pool."""
    nodes: str = ""
    """Names of the simulated nodes that this process serves, with commas between them; `nvml_state` is then
    the folder that holds a folder of each. Empty: the one node `node_name`."""
