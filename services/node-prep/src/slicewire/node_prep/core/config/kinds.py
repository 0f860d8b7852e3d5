"""The kinds of NVIDIA's opaque device configuration (`resource.nvidia.com/v1beta1`), as users write them.

Values only: what is allowed in them is in rules.py, which one applies in reading.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from slicewire.common.model import Quantity
from slicewire.common.model.struct import Object

API_VERSION = "resource.nvidia.com/v1beta1"


class DeviceType(StrEnum):
    """What a device of the pool is; its attribute `type`."""

    GPU = "gpu"
    MIG = "mig"
    VFIO = "vfio"


class Strategy(StrEnum):
    TIME_SLICING = "TimeSlicing"
    MPS = "MPS"


class Interval(StrEnum):
    """How long a process computes before the next one may."""

    DEFAULT = "Default"
    SHORT = "Short"
    MEDIUM = "Medium"
    LONG = "Long"


class BackendPolicy(StrEnum):
    LEGACY_ONLY = "LegacyOnly"
    PREFER_IOMMU_FD = "PreferIommuFD"


class TimeSlicingConfig(Object, frozen=True):
    interval: str | None = None


class MpsConfig(Object, frozen=True):
    default_active_thread_percentage: int | None = None
    default_pinned_device_memory_limit: Quantity | None = None
    default_per_device_pinned_memory_limit: Mapping[str, Quantity] = msgspec.field(default_factory=dict)
    """By UUID, or by index among the devices that share the configuration."""
    multi_user: bool = False


class GpuSharing(Object, frozen=True):
    strategy: str = ""
    time_slicing_config: TimeSlicingConfig | None = None
    mps_config: MpsConfig | None = None


class MigDeviceSharing(Object, frozen=True):
    strategy: str = ""
    mps_config: MpsConfig | None = None


class VfioIommu(Object, frozen=True):
    backend_policy: str = BackendPolicy.LEGACY_ONLY
    enable_api_device: bool = msgspec.field(default=False, name="enableAPIDevice")


class GpuConfig(Object, frozen=True, tag_field="kind", tag="GpuConfig"):
    sharing: GpuSharing | None = None


class MigDeviceConfig(Object, frozen=True, tag_field="kind", tag="MigDeviceConfig"):
    sharing: MigDeviceSharing | None = None


class VfioDeviceConfig(Object, frozen=True, tag_field="kind", tag="VfioDeviceConfig"):
    iommu: VfioIommu | None = None


DeviceConfig = GpuConfig | MigDeviceConfig | VfioDeviceConfig


class BadConfig(msgspec.Struct, frozen=True):
    """The configuration cannot be read or applied; the reason names the field."""

    reason: str
