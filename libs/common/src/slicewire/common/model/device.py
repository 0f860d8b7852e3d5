"""A device as a driver publishes it: attributes, capacity, taints, and the id it is known by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NewType

import msgspec

from slicewire.common.model.allocatable import NodeAllocatableResource, NodeAllocatableResourceMapping
from slicewire.common.model.counters import DeviceCounterConsumption
from slicewire.common.model.ids import DeviceName, DriverName, PoolName
from slicewire.common.model.node import NodeSelector
from slicewire.common.model.quantity import Quantity
from slicewire.common.model.struct import Object

QualifiedName = NewType("QualifiedName", str)
"""`id` or `domain/id`; without a domain the driver's name is the domain."""


def qualified(name: str, driver: str) -> tuple[str, str]:
    """(domain, id) of an attribute or capacity name of this driver's device."""
    domain, slash, identifier = name.rpartition("/")
    return (domain, identifier) if slash else (driver, name)


class DeviceID(msgspec.Struct, frozen=True, order=True):
    """`<driver>/<pool>/<device>`: what Kubernetes knows a device by."""

    driver: DriverName
    pool: PoolName
    device: DeviceName

    def __str__(self) -> str:
        return f"{self.driver}/{self.pool}/{self.device}"


class DeviceAttribute(Object, frozen=True):
    """Exactly one of the fields is set (resource.k8s.io/v1 DeviceAttribute)."""

    int_value: int | None = msgspec.field(default=None, name="int")
    bool_value: bool | None = msgspec.field(default=None, name="bool")
    string: str | None = None
    version: str | None = None
    ints: tuple[int, ...] | None = None
    bools: tuple[bool, ...] | None = None
    strings: tuple[str, ...] | None = None
    versions: tuple[str, ...] | None = None


class CapacityRequestPolicyRange(Object, frozen=True):
    min: Quantity | None = None
    max: Quantity | None = None
    step: Quantity | None = None


class CapacityRequestPolicy(Object, frozen=True):
    default: Quantity | None = None
    valid_values: tuple[Quantity, ...] = ()
    valid_range: CapacityRequestPolicyRange | None = None


class DeviceCapacity(Object, frozen=True):
    value: Quantity
    request_policy: CapacityRequestPolicy | None = None


class DeviceTaint(Object, frozen=True):
    key: str
    effect: str
    value: str = ""
    time_added: str | None = None


class Device(Object, frozen=True):
    name: DeviceName
    attributes: Mapping[str, DeviceAttribute] = msgspec.field(default_factory=dict)
    capacity: Mapping[str, DeviceCapacity] = msgspec.field(default_factory=dict)
    consumes_counters: tuple[DeviceCounterConsumption, ...] = ()
    node_name: str | None = None
    node_selector: NodeSelector | None = None
    all_nodes: bool | None = None
    taints: tuple[DeviceTaint, ...] = ()
    binds_to_node: bool | None = None
    binding_conditions: tuple[str, ...] = ()
    binding_failure_conditions: tuple[str, ...] = ()
    allow_multiple_allocations: bool | None = None
    node_allocatable_resource_mappings: Mapping[str, NodeAllocatableResourceMapping] = msgspec.field(
        default_factory=dict
    )
    """1.36, alpha: by native resource of the node, such as `cpu`."""
    node_allocatable_resources: Mapping[str, NodeAllocatableResource] = msgspec.field(default_factory=dict)
    """1.37, alpha, in place of the above."""
