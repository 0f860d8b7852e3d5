"""ResourceClaim: what a user asks for, and what they were given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from slicewire.common.model.device import DeviceID
from slicewire.common.model.ids import ClaimUID, DeviceName, DriverName, PoolName, RequestName
from slicewire.common.model.meta import ObjectMeta
from slicewire.common.model.node import NodeSelector
from slicewire.common.model.quantity import Quantity
from slicewire.common.model.struct import Object


class CELDeviceSelector(Object, frozen=True):
    expression: str


class DeviceSelector(Object, frozen=True):
    cel: CELDeviceSelector | None = None


class DeviceToleration(Object, frozen=True):
    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""
    toleration_seconds: int | None = None


class CapacityRequirements(Object, frozen=True):
    requests: Mapping[str, Quantity] = msgspec.field(default_factory=dict)


class DerivedAttribute(Object, frozen=True):
    """An attribute that a CEL expression makes of each device, for constraints alone (1.37)."""

    name: str
    expression: str


class ExactDeviceRequest(Object, frozen=True):
    """`allocation_mode` "" means ExactCount; `count` 0 means 1 in that mode (the API's defaults)."""

    device_class_name: str = ""
    selectors: tuple[DeviceSelector, ...] = ()
    allocation_mode: str = ""
    count: int = 0
    admin_access: bool | None = None
    tolerations: tuple[DeviceToleration, ...] = ()
    capacity: CapacityRequirements | None = None
    derived_attributes: tuple[DerivedAttribute, ...] = ()


class DeviceSubRequest(Object, frozen=True):
    name: str
    device_class_name: str = ""
    selectors: tuple[DeviceSelector, ...] = ()
    allocation_mode: str = ""
    count: int = 0
    tolerations: tuple[DeviceToleration, ...] = ()
    capacity: CapacityRequirements | None = None
    derived_attributes: tuple[DerivedAttribute, ...] = ()


class DeviceRequest(Object, frozen=True):
    name: str
    exactly: ExactDeviceRequest | None = None
    first_available: tuple[DeviceSubRequest, ...] = ()


class DeviceConstraint(Object, frozen=True):
    requests: tuple[str, ...] = ()
    match_attribute: str | None = None
    distinct_attribute: str | None = None


class OpaqueDeviceConfiguration(Object, frozen=True):
    driver: DriverName
    parameters: Any = None


class DeviceClaimConfiguration(Object, frozen=True):
    requests: tuple[str, ...] = ()
    opaque: OpaqueDeviceConfiguration | None = None


class DeviceClaim(Object, frozen=True):
    requests: tuple[DeviceRequest, ...] = ()
    constraints: tuple[DeviceConstraint, ...] = ()
    config: tuple[DeviceClaimConfiguration, ...] = ()


class ResourceClaimSpec(Object, frozen=True):
    devices: DeviceClaim = msgspec.field(default_factory=DeviceClaim)


class DeviceRequestAllocationResult(Object, frozen=True):
    request: RequestName
    driver: DriverName
    pool: PoolName
    device: DeviceName
    admin_access: bool | None = None
    tolerations: tuple[DeviceToleration, ...] = ()
    binding_conditions: tuple[str, ...] = ()
    binding_failure_conditions: tuple[str, ...] = ()
    share_id: str | None = msgspec.field(default=None, name="shareID")
    consumed_capacity: Mapping[str, Quantity] = msgspec.field(default_factory=dict)
    skip_node_operations: tuple[str, ...] = ()

    @property
    def device_id(self) -> DeviceID:
        return DeviceID(self.driver, self.pool, self.device)


class DeviceAllocationConfiguration(Object, frozen=True):
    """`source` is FromClass or FromClaim; empty `requests` means all of the claim's requests."""

    source: str
    requests: tuple[str, ...] = ()
    opaque: OpaqueDeviceConfiguration | None = None


class DeviceAllocationResult(Object, frozen=True):
    results: tuple[DeviceRequestAllocationResult, ...] = ()
    config: tuple[DeviceAllocationConfiguration, ...] = ()


class AllocationResult(Object, frozen=True):
    devices: DeviceAllocationResult = msgspec.field(default_factory=DeviceAllocationResult)
    node_selector: NodeSelector | None = None
    allocation_timestamp: str | None = None


class ResourceClaimConsumerReference(Object, frozen=True):
    resource: str
    name: str
    uid: str
    api_group: str = ""


class AllocatedDeviceStatus(Object, frozen=True):
    driver: DriverName
    pool: PoolName
    device: DeviceName
    share_id: str | None = msgspec.field(default=None, name="shareID")
    conditions: tuple[Mapping[str, Any], ...] = ()
    data: Any = None
    network_data: Any = None


class ResourceClaimStatus(Object, frozen=True):
    allocation: AllocationResult | None = None
    reserved_for: tuple[ResourceClaimConsumerReference, ...] = ()
    devices: tuple[AllocatedDeviceStatus, ...] = ()


POD_CLAIM_NAME = "resource.kubernetes.io/pod-claim-name"
"""The annotation in which Kubernetes keeps it."""


class ResourceClaim(Object, frozen=True):
    API_VERSION: ClassVar[str] = "resource.k8s.io/v1"
    KIND: ClassVar[str] = "ResourceClaim"

    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: ResourceClaimSpec = msgspec.field(default_factory=ResourceClaimSpec)
    status: ResourceClaimStatus = msgspec.field(default_factory=ResourceClaimStatus)

    @property
    def uid(self) -> ClaimUID:
        return ClaimUID(self.metadata.uid)

    @property
    def label(self) -> str:
        """`namespace/name`, as people and upstream's messages say it."""
        return f"{self.metadata.namespace}/{self.metadata.name}"

    @property
    def pod_claim_name(self) -> str:
        """What its pod calls a claim that was made for it from a template; empty for any other."""
        return self.metadata.annotations.get(POD_CLAIM_NAME, "")


class ResourceClaimTemplateSpec(Object, frozen=True):
    spec: ResourceClaimSpec
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)


class ResourceClaimTemplate(Object, frozen=True):
    API_VERSION: ClassVar[str] = "resource.k8s.io/v1"
    KIND: ClassVar[str] = "ResourceClaimTemplate"

    spec: ResourceClaimTemplateSpec
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
