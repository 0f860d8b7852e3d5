"""ResourceSlice and the pool it is a part of."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from slicewire.common.model.counters import CounterSet
from slicewire.common.model.device import Device
from slicewire.common.model.ids import DriverName, NodeName, PoolName
from slicewire.common.model.meta import ObjectMeta
from slicewire.common.model.node import NodeSelector
from slicewire.common.model.struct import Object


class PoolID(msgspec.Struct, frozen=True, order=True):
    """A pool is known by its driver and its name, never by the name alone."""

    driver: DriverName
    pool: PoolName

    def __str__(self) -> str:
        return f"{self.driver}/{self.pool}"


class ResourcePool(Object, frozen=True):
    name: PoolName
    generation: int = 0
    resource_slice_count: int = 0
    """How many slices the pool has; never 0 in Kubernetes, so that it is always written."""


class ResourceSliceSpec(Object, frozen=True):
    driver: DriverName
    pool: ResourcePool
    node_name: NodeName | None = None
    node_selector: NodeSelector | None = None
    all_nodes: bool | None = None
    per_device_node_selection: bool | None = None
    devices: tuple[Device, ...] = ()
    shared_counters: tuple[CounterSet, ...] = ()
    partition_type_attribute: str | None = None
    """1.37, alpha: by which attribute summaries tell the partitions of this slice apart, by its full name."""
    skip_node_operations: tuple[str, ...] = ()


class ResourceSlice(Object, frozen=True):
    API_VERSION: ClassVar[str] = "resource.k8s.io/v1"
    KIND: ClassVar[str] = "ResourceSlice"

    spec: ResourceSliceSpec
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
