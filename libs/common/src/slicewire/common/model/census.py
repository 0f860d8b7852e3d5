"""How much there is, as it is told to those who ask."""

from __future__ import annotations

from slicewire.common.model.ids import DriverName, NodeName, PoolName
from slicewire.common.model.quantity import Quantity
from slicewire.common.model.struct import Object


class ClassCapacity(Object, frozen=True):
    """The devices of one class, and of one partition profile in it, on one node.

    `placeable` claims for one such device would be answered one after another; `free` ones may
    share what they need.
    """

    device_class: str
    node: NodeName
    devices: int
    free: int
    placeable: int
    profile: str = ""


class PartitionTypeStatus(Object, frozen=True):
    """The partitions of one type: all that a pool has, and how many more its counters allow."""

    type: str
    total: int
    allocatable: int
    attribute: str
    """By which the type was told, by its full name."""


class ShareableCapacityStatus(Object, frozen=True):
    """One capacity of all shareable devices of a pool together."""

    name: str
    total: Quantity
    consumed: Quantity
    available: Quantity


class ShareableSummaryStatus(Object, frozen=True):
    """How far the shareable devices of a pool are used up: not at all, or in part."""

    fully_available_devices: int
    partially_available_devices: int
    capacity: tuple[ShareableCapacityStatus, ...] = ()


class PoolStatus(Object, frozen=True):
    """One pool, with the fields of `resource.k8s.io/v1alpha3` ResourcePoolStatusRequest."""

    driver: DriverName
    pool_name: PoolName
    node_name: NodeName
    total_devices: int
    allocated_devices: int
    available_devices: int
    unavailable_devices: int
    generation: int
    resource_slice_count: int | None = None
    validation_error: str | None = None
    """Why the pool is not usable; its devices are not counted then."""
    partition_summary: tuple[PartitionTypeStatus, ...] = ()
    """Of a pool with shared counters."""
    shareable_summary: ShareableSummaryStatus | None = None
    """Of a pool with at least one device that several claims may have."""
