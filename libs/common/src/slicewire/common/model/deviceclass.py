"""DeviceClass: the admin's name for a kind of device."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from slicewire.common.model.claim import DeviceSelector, OpaqueDeviceConfiguration
from slicewire.common.model.meta import ObjectMeta
from slicewire.common.model.struct import Object


class DeviceClassConfiguration(Object, frozen=True):
    opaque: OpaqueDeviceConfiguration | None = None


class DeviceClassSpec(Object, frozen=True):
    selectors: tuple[DeviceSelector, ...] = ()
    config: tuple[DeviceClassConfiguration, ...] = ()
    extended_resource_name: str | None = None


class DeviceClass(Object, frozen=True):
    API_VERSION: ClassVar[str] = "resource.k8s.io/v1"
    KIND: ClassVar[str] = "DeviceClass"

    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: DeviceClassSpec = msgspec.field(default_factory=DeviceClassSpec)
