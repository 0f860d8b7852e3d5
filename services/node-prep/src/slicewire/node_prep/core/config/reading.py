"""Which of a claim's configurations applies to which of its devices, read strictly.

A user's typo is an error that names the field; it decides nothing about hardware.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from slicewire.common.model import DeviceAllocationConfiguration, DriverName, RequestName, wire
from slicewire.node_prep.core.config.kinds import (
    API_VERSION,
    BadConfig,
    DeviceConfig,
    DeviceType,
    GpuConfig,
    MigDeviceConfig,
    VfioDeviceConfig,
)
from slicewire.node_prep.core.config.rules import normalised

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


class Given(msgspec.Struct, frozen=True):
    """One configuration, and where it stands in the claim."""

    where: str
    requests: tuple[str, ...]
    config: DeviceConfig


class Configuration(msgspec.Struct, frozen=True):
    """The configurations of our driver in one claim, the strongest first."""

    entries: tuple[Given, ...] = ()

    def of(self, request: RequestName, device_type: DeviceType) -> DeviceConfig | BadConfig:
        """The strongest configuration that names the request, or that names none and fits the device;
        normalised. What is wrong in those that do not apply is nobody's concern."""
        for given in self.entries:
            fits = _TYPES[type(given.config)] is device_type
            if _names(given.requests, request):
                return _checked(given) if fits else BadConfig(_misfit(given.config, request, device_type))
            if not given.requests and fits:
                return _checked(given)
        return normalised(_DEFAULTS[device_type])


def read(given: Sequence[DeviceAllocationConfiguration], driver: DriverName) -> Configuration | BadConfig:
    """A claim's own configuration beats its class's; within each, later beats earlier."""
    found: dict[str, list[Given]] = {source: [] for source in _SOURCES}
    for index, one in enumerate(given):
        where = f"config[{index}]"
        if one.source not in found:
            return BadConfig(f"{where}.source: {one.source!r} is neither FromClass nor FromClaim")
        if one.opaque is None:
            return BadConfig(f"{where}.opaque is missing: only opaque configuration is understood")
        if one.opaque.driver != driver:
            continue
        where = f"{where}.opaque.parameters"
        config = _decoded(one.opaque.parameters, where)
        if isinstance(config, BadConfig):
            return config
        found[one.source].append(Given(where, one.requests, config))
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


def _checked(given: Given) -> DeviceConfig | BadConfig:
    config = normalised(given.config)
    if isinstance(config, BadConfig):
        return BadConfig(f"{given.where}.{config.reason}")
    return config


def _names(requests: Sequence[str], request: RequestName) -> bool:
    """A configuration for a request is for each of its alternatives (`request/subrequest`) too."""
    return request in requests or request.partition("/")[0] in requests


def _misfit(config: DeviceConfig, request: RequestName, device_type: DeviceType) -> str:
    return f'cannot apply {type(config).__name__} to a device of type "{device_type}" (request: {request})'
