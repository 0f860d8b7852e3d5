"""What a device costs its node besides itself: cpu, memory and the like, native resources of the node.

Alpha (`DRANodeAllocatableResources`), and written differently by 1.36 and 1.37; both are kept as they come.
kube-scheduler sets these amounts against what the node has: nothing here adds them up.
"""

from __future__ import annotations

from slicewire.common.model.quantity import Quantity
from slicewire.common.model.struct import Object


class NodeAllocatableResourceMapping(Object, frozen=True):
    """1.36: the amount of a capacity, or of the device, times a multiplier; without one, once."""

    capacity_key: str | None = None
    allocation_multiplier: Quantity | None = None


class NodeAllocatableMapping(Object, frozen=True):
    """1.37: so much for each unit of a consumed capacity, or so much for each device; never both."""

    capacity_key: str | None = None
    capacity_multiplier: Quantity | None = None
    device_multiplier: Quantity | None = None


class NodeAllocatableOverhead(Object, frozen=True):
    """1.37: so much for each pod, and for each of its containers that refers to the claim."""

    per_pod: Quantity | None = None
    per_container: Quantity | None = None


class NodeAllocatableResource(Object, frozen=True):
    """1.37: pods may share a claim whose devices have an overhead only, never one with a `mapping`."""

    mapping: NodeAllocatableMapping | None = None
    overhead: NodeAllocatableOverhead | None = None
