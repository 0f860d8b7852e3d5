"""What a device costs its node reaches Kubernetes as discovery told it."""

from __future__ import annotations

import msgspec

from slicewire.common.model import (
    NodeAllocatableMapping,
    NodeAllocatableOverhead,
    NodeAllocatableResource,
    NodeAllocatableResourceMapping,
    Quantity,
    wire,
)
from slicewire.publisher.core.slices import desired_slices
from tests.unit.publisher.storing import a_pool, gpus

COSTS = {
    "memory": NodeAllocatableResource(overhead=NodeAllocatableOverhead(per_pod=Quantity("256Mi"))),
    "cpu": NodeAllocatableResource(mapping=NodeAllocatableMapping(device_multiplier=Quantity("1500m"))),
}
EARLIER_COSTS = {"cpu": NodeAllocatableResourceMapping(allocation_multiplier=Quantity("1500m"))}


def test_both_ways_to_write_it_are_published_untouched() -> None:
    (plain,) = gpus(1)
    device = msgspec.structs.replace(
        plain, node_allocatable_resources=COSTS, node_allocatable_resource_mappings=EARLIER_COSTS
    )
    (published,) = desired_slices(a_pool((device,)))
    (written,) = wire.to_builtins(published)["spec"]["devices"]
    assert written["nodeAllocatableResources"] == {
        "memory": {"overhead": {"perPod": "256Mi"}},
        "cpu": {"mapping": {"deviceMultiplier": "1500m"}},
    }
    assert written["nodeAllocatableResourceMappings"] == {"cpu": {"allocationMultiplier": "1500m"}}
