"""NVIDIA's opaque device configuration (`resource.nvidia.com/v1beta1`), read strictly, and which of a
claim's configurations applies to which of its devices.

It decides nothing about hardware: plan.py says what this version can apply.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from slicewire.common.model import DeviceAllocationConfiguration, DriverName, Quantity, RequestName, wire
from slicewire.common.model.struct import Object

API_VERSION = "resource.nvidia.com/v1beta1"


class DeviceType(StrEnum):
    """What a device of the pool is; its attribute `type`."""

    GPU = "gpu"
    MIG = "mig"
    VFIO = "vfio"


class TimeSlicingConfig(Object, frozen=True):
    interval: str | None = None


class MpsConfig(Object, frozen=True):
    default_active_thread_percentage: int | None = None
    default_pinned_device_memory_limit: Quantity | None = None
    default_per_device_pinned_memory_limit: Mapping[str, Quantity] = msgspec.field(default_factory=dict)
    multi_user: bool = False


class GpuSharing(Object, frozen=True):
    strategy: str = ""
    time_slicing_config: TimeSlicingConfig | None = None
    mps_config: MpsConfig | None = None


class MigDeviceSharing(Object, frozen=True):
    strategy: str = ""
    mps_config: MpsConfig | None = None


class VfioIommu(Object, frozen=True):
    backend_policy: str = "LegacyOnly"
    enable_api_device: bool = msgspec.field(default=False, name="enableAPIDevice")


class GpuConfig(Object, frozen=True):
    sharing: GpuSharing | None = None


class MigDeviceConfig(Object, frozen=True):
    sharing: MigDeviceSharing | None = None


class VfioDeviceConfig(Object, frozen=True):
    iommu: VfioIommu | None = None


DeviceConfig = GpuConfig | MigDeviceConfig | VfioDeviceConfig
_KINDS: Mapping[str, type[DeviceConfig]] = {
    "GpuConfig": GpuConfig,
    "MigDeviceConfig": MigDeviceConfig,
    "VfioDeviceConfig": VfioDeviceConfig,
}
_TYPES: Mapping[type[DeviceConfig], DeviceType] = {
    GpuConfig: DeviceType.GPU,
    MigDeviceConfig: DeviceType.MIG,
    VfioDeviceConfig: DeviceType.VFIO,
}
_SOURCES = ("FromClass", "FromClaim")
_DEFAULTS: Mapping[DeviceType, DeviceConfig] = {
    DeviceType.GPU: GpuConfig(),
    DeviceType.MIG: MigDeviceConfig(),
    DeviceType.VFIO: VfioDeviceConfig(),
}


class BadConfig(msgspec.Struct, frozen=True):
    """The configuration cannot be read or applied; the reason names the field."""

    reason: str


class Configuration(msgspec.Struct, frozen=True):
    """The configurations of our driver in one claim, the strongest first."""

    entries: tuple[tuple[tuple[str, ...], DeviceConfig], ...] = ()

    def of(self, request: RequestName, device_type: DeviceType) -> DeviceConfig | BadConfig:
        """The strongest configuration that names the request, or that names none and fits the device."""
        for requests, config in self.entries:
            fits = _TYPES[type(config)] is device_type
            if _names(requests, request):
                return config if fits else BadConfig(_misfit(config, request, device_type))
            if not requests and fits:
                return config
        return _DEFAULTS[device_type]


def read(given: Sequence[DeviceAllocationConfiguration], driver: DriverName) -> Configuration | BadConfig:
    """A claim's own configuration beats its class's; within each, later beats earlier."""
    found: dict[str, list[tuple[tuple[str, ...], DeviceConfig]]] = {source: [] for source in _SOURCES}
    for index, one in enumerate(given):
        where = f"config[{index}]"
        if one.source not in found:
            return BadConfig(f"{where}.source: {one.source!r} is neither FromClass nor FromClaim")
        if one.opaque is None:
            return BadConfig(f"{where}.opaque is missing: only opaque configuration is understood")
        if one.opaque.driver != driver:
            continue
        config = _decoded(one.opaque.parameters, f"{where}.opaque.parameters")
        if isinstance(config, BadConfig):
            return config
        found[one.source].append((one.requests, config))
    weakest_first = [entry for source in _SOURCES for entry in found[source]]
    return Configuration(tuple(reversed(weakest_first)))


def _decoded(parameters: Any, where: str) -> DeviceConfig | BadConfig:
    if not isinstance(parameters, Mapping):
        return BadConfig(f"{where} is not an object")
    if parameters.get("apiVersion") != API_VERSION:
        return BadConfig(f"{where}.apiVersion: {parameters.get('apiVersion')!r} is not {API_VERSION}")
    kind = parameters.get("kind")
    if not isinstance(kind, str) or kind not in _KINDS:
        return BadConfig(f"{where}.kind: {kind!r} is none of {', '.join(_KINDS)}")
    try:
        return wire.strictly(parameters, _KINDS[kind])
    except wire.Malformed as error:
        return BadConfig(f"{where} ({kind}): {error}")


def _names(requests: Sequence[str], request: RequestName) -> bool:
    """A configuration for a request is for each of its alternatives (`request/subrequest`) too."""
    return request in requests or request.partition("/")[0] in requests


def _misfit(config: DeviceConfig, request: RequestName, device_type: DeviceType) -> str:
    return f'cannot apply {type(config).__name__} to a device of type "{device_type}" (request: {request})'
