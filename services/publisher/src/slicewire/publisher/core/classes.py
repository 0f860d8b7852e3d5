"""The DeviceClasses by which claims ask for the fleet's devices, named as NVIDIA's driver does. Pure.

One for each type of device, and one for each MIG profile that some GPU can be cut into: so that a pod may
ask for `nvidia.com/mig-1g.12gb: 1`, as with the device plugin. Knows only the driver named here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from slicewire.common.model import (
    CELDeviceSelector,
    Device,
    DeviceAttribute,
    DeviceClass,
    DeviceClassSpec,
    DeviceSelector,
    ObjectMeta,
)
from slicewire.common.model.naming import NVIDIA_DRIVER

MANAGED_BY = {"app.kubernetes.io/managed-by": "slicewire"}
_TYPES = (("gpu.nvidia.com", "gpu", "nvidia.com/gpu"), ("mig.nvidia.com", "mig", None))
_VFIO = ("vfio.gpu.nvidia.com", "vfio", None)
_PROFILE = re.compile(r"[0-9]+g\.[0-9]+gb([+-][a-z0-9.]+)?")
"""`1g.12gb`, `1g.12gb+me`: anything else is no name that an extended resource may have."""


def wanted_classes(driver: str, devices: Iterable[Device]) -> tuple[DeviceClass, ...]:
    """For a pool with these devices; none for a pool of another driver."""
    return tuple(_classes(devices)) if driver == NVIDIA_DRIVER else ()


def _classes(devices: Iterable[Device]) -> Iterator[DeviceClass]:
    for name, kind, resource in (*_TYPES, _VFIO):
        yield _class(name, f"{_of_driver()} && {_is('type', kind)}", resource)
    for profile in sorted({found for device in devices if (found := _profile(device))}):
        yield profile_class(profile)


def profile_class(profile: str) -> DeviceClass:
    """`mig-1g-12gb.gpu.nvidia.com` of `1g.12gb`, for `nvidia.com/mig-1g.12gb`."""
    name = re.sub(r"[^a-z0-9]", "-", profile)
    expression = f"{_of_driver()} && {_is('type', 'mig')} && {_is('profile', profile)}"
    resource = f"nvidia.com/mig-{re.sub('[+-]', '.', profile)}"
    return _class(f"mig-{name}.{NVIDIA_DRIVER}", expression, resource)


def _class(name: str, expression: str, resource: str | None) -> DeviceClass:
    return DeviceClass(
        metadata=ObjectMeta(name=name, labels=MANAGED_BY),
        spec=DeviceClassSpec(
            selectors=(DeviceSelector(cel=CELDeviceSelector(expression=expression)),),
            extended_resource_name=resource,
        ),
    )


def _of_driver() -> str:
    return f"device.driver == '{NVIDIA_DRIVER}'"


def _is(attribute: str, value: str) -> str:
    return f"device.attributes['{NVIDIA_DRIVER}'].{attribute} == '{value}'"


def _profile(device: Device) -> str:
    """The MIG profile of a partition; empty for all else."""
    if _text(device, "type") != "mig":
        return ""
    profile = _text(device, "profile")
    return profile if _PROFILE.fullmatch(profile) else ""


def _text(device: Device, name: str) -> str:
    return device.attributes.get(name, DeviceAttribute()).string or ""
