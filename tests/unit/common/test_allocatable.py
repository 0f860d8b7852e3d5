"""What a device costs its node is kept as the driver wrote it, in the words of 1.36 and in those of 1.37."""

from __future__ import annotations

import json
from typing import Any

import pytest

from slicewire.common.model import Device, Quantity, ResourceSlice, wire

AS_IN_1_36: dict[str, Any] = {
    "name": "numa-0",
    "capacity": {"cpus": {"value": "32"}},
    "nodeAllocatableResourceMappings": {
        "cpu": {"capacityKey": "cpus"},
        "memory": {"allocationMultiplier": "1.5Gi"},
    },
}
AS_IN_1_37: dict[str, Any] = {
    "name": "gpu-0",
    "nodeAllocatableResources": {
        "cpu": {"mapping": {"capacityKey": "cpus", "capacityMultiplier": "1500m"}},
        "hugepages-2Mi": {"mapping": {"deviceMultiplier": "64Mi"}},
        "memory": {"overhead": {"perContainer": "64Mi", "perPod": "0.25Gi"}},
    },
}


@pytest.mark.parametrize("written", [AS_IN_1_36, AS_IN_1_37], ids=["1.36", "1.37"])
def test_a_device_comes_back_as_it_was_written(written: dict[str, Any]) -> None:
    device = wire.strictly(written, Device)
    assert json.loads(wire.encode(device)) == written
    assert wire.decode(wire.encode(device), Device) == device


def test_amounts_are_exact() -> None:
    cpu = wire.strictly(AS_IN_1_37, Device).node_allocatable_resources["cpu"]
    assert cpu.mapping is not None
    assert cpu.mapping.capacity_multiplier == Quantity("1.5")


@pytest.mark.parametrize(
    ("resources", "complaint"),
    [
        ({"cpu": {"mappings": {}}}, r"`mappings` - at `\$\.nodeAllocatableResources\.cpu`"),
        (
            {"cpu": {"overhead": {"perNode": "1"}}},
            r"`perNode` - at `\$\.nodeAllocatableResources\.cpu\.overhead`",
        ),
        ({"cpu": {"overhead": {"perPod": "1 core"}}}, "'1 core' is not a quantity.*perPod"),
        ({"cpu": {"mapping": {"deviceMultiplier": 0.5}}}, r"not a quantity.*deviceMultiplier"),
    ],
)
def test_a_mistake_is_named_with_its_place(resources: dict[str, Any], complaint: str) -> None:
    with pytest.raises(wire.Malformed, match=complaint):
        wire.strictly({"name": "gpu-0", "nodeAllocatableResources": resources}, Device)


def test_a_slice_keeps_the_attribute_that_tells_its_partitions_apart() -> None:
    spec = {
        "driver": "gpu.nvidia.com",
        "nodeName": "node-a",
        "partitionTypeAttribute": "gpu.nvidia.com/profile",
        "pool": {"name": "node-a", "generation": 1, "resourceSliceCount": 1},
    }
    published = wire.strictly({"spec": spec}, ResourceSlice)
    assert published.spec.partition_type_attribute == "gpu.nvidia.com/profile"
    assert wire.to_builtins(published)["spec"] == spec
