"""How much there is, as it is told to those who ask."""

from __future__ import annotations

from slicewire.common.model.ids import DriverName, NodeName, PoolName
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
