"""DeviceTaintRule: the admin's taint on devices that a driver, a pool or a name picks out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from slicewire.common.model.device import DeviceTaint
from slicewire.common.model.ids import DeviceName, DriverName, PoolName
from slicewire.common.model.meta import ObjectMeta
from slicewire.common.model.pool import PoolID
from slicewire.common.model.struct import Object


class DeviceTaintSelector(Object, frozen=True, forbid_unknown_fields=True):
    """All fields that are given must match; none picks out every device.

    A field that we do not know would pick out fewer devices than we would taint, so it is never
    ignored: Kubernetes 1.33 and 1.34 had `deviceClassName` and `selectors` in v1alpha3.
    """

    driver: DriverName | None = None
    pool: PoolName | None = None
    device: DeviceName | None = None

    def looks_into(self, pool: PoolID) -> bool:
        return self.driver in (None, pool.driver) and self.pool in (None, pool.pool)

    def picks(self, device: DeviceName) -> bool:
        """Of a pool that it looks into."""
        return self.device in (None, device)


class DeviceTaintRuleSpec(Object, frozen=True):
    taint: DeviceTaint
    device_selector: DeviceTaintSelector | None = None
    """None picks out every device, whatever the API's documentation says: so do Kubernetes' own
    scheduler and eviction controller (resourceslice/tracker of 1.36)."""


class DeviceTaintRuleStatus(Object, frozen=True):
    """How far Kubernetes' eviction controller has come."""

    conditions: tuple[Mapping[str, Any], ...] = ()


class DeviceTaintRule(Object, frozen=True):
    """The same in v1 (1.37), v1beta2 (1.36) and v1alpha3 (1.35)."""

    API_VERSION: ClassVar[str] = "resource.k8s.io/v1"
    KIND: ClassVar[str] = "DeviceTaintRule"

    spec: DeviceTaintRuleSpec
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    status: DeviceTaintRuleStatus = msgspec.field(default_factory=DeviceTaintRuleStatus)

    @property
    def selector(self) -> DeviceTaintSelector:
        return self.spec.device_selector or DeviceTaintSelector()
