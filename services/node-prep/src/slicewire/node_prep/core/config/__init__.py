"""NVIDIA's opaque device configuration: its kinds, its rules, and which one applies to which device."""

from slicewire.node_prep.core.config.kinds import (
    API_VERSION,
    BackendPolicy,
    BadConfig,
    DeviceConfig,
    DeviceType,
    GpuConfig,
    GpuSharing,
    Interval,
    MigDeviceConfig,
    MigDeviceSharing,
    MpsConfig,
    Strategy,
    TimeSlicingConfig,
    VfioDeviceConfig,
    VfioIommu,
)
from slicewire.node_prep.core.config.reading import Configuration, read
from slicewire.node_prep.core.config.rules import MEBIBYTE, normalised

__all__ = [
    "API_VERSION",
    "MEBIBYTE",
    "BackendPolicy",
    "BadConfig",
    "Configuration",
    "DeviceConfig",
    "DeviceType",
    "GpuConfig",
    "GpuSharing",
    "Interval",
    "MigDeviceConfig",
    "MigDeviceSharing",
    "MpsConfig",
    "Strategy",
    "TimeSlicingConfig",
    "VfioDeviceConfig",
    "VfioIommu",
    "normalised",
    "read",
]
