"""The one place a device gets its name: discovery publishes it, node-prep looks it up.

The names are those of NVIDIA's DRA driver (`gpu-<minor>`), so that exporters that map
(pool, device) to a UUID go on working.
"""

from __future__ import annotations

import re

from slicewire.common.model.ids import DeviceName, DriverName

NVIDIA_DRIVER = DriverName("gpu.nvidia.com")
_GPU = re.compile(r"gpu-(0|[1-9]\d*)")


def gpu_name(minor: int) -> DeviceName:
    """The device that is `/dev/nvidia<minor>`."""
    return DeviceName(f"gpu-{minor}")


def gpu_minor(name: DeviceName) -> int | None:
    """The minor number in a full GPU's name; None for any other device."""
    match = _GPU.fullmatch(name)
    return int(match[1]) if match else None
