"""The fleet of a run: thirty nodes of three kinds, small enough that claims are in each other's way.

What a device or a counter is never changes in a run; which devices there are, and their taints, does.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

import msgspec

from slicewire.common.messages import PoolObserved
from slicewire.common.model import (
    Device,
    DeviceClass,
    DeviceName,
    DeviceTaint,
    DriverName,
    NodeName,
    PoolName,
    wire,
)

GPU = DriverName("gpu.nvidia.com")
NIC = DriverName("nic.example.com")
PoolKey = tuple[NodeName, DriverName]
WHOLE, PARTITION, SHARE, CARD = "whole-gpu", "gpu-partition", "gpu-share", "nic"
_SLICES = {"whole": 8, "half": 4, "quarter": 2}
_WHOLE_NODES, _PARTITIONED_NODES, _SHARED_NODES = range(12), range(12, 22), range(22, 30)


def node_name(number: int) -> NodeName:
    return NodeName(f"node-{number:02}")


NODES = tuple(node_name(number) for number in range(30))


def pools() -> dict[PoolKey, PoolObserved]:
    """The fleet as it is when nothing is missing."""
    found = []
    for number in _WHOLE_NODES:
        found.append(_pool(number, GPU, [_device(f"gpu-{index}", WHOLE) for index in range(4)]))
        found.append(_pool(number, NIC, [_device(f"nic-{index}", CARD) for index in range(2)]))
    for number in _PARTITIONED_NODES:
        sets = [{"name": f"gpu-{gpu}", "counters": {"slices": {"value": "8"}}} for gpu in range(2)]
        found.append(_pool(number, GPU, [each for gpu in range(2) for each in _partitions(gpu)], sets))
    for number in _SHARED_NODES:
        memory = {"memory": {"value": "80Gi"}}
        shared = [
            _device(f"gpu-{index}", SHARE, allowMultipleAllocations=True, capacity=memory)
            for index in range(2)
        ]
        found.append(_pool(number, GPU, shared))
    return {(pool.node, pool.driver): pool for pool in found}


def _pool(
    number: int, driver: DriverName, devices: list[dict[str, Any]], sets: list[dict[str, Any]] | None = None
) -> PoolObserved:
    node = node_name(number)
    told = {"node": node, "driver": driver, "pool": PoolName(node), "generation": 1, "devices": devices}
    return wire.convert({**told, "sharedCounters": sets or []}, PoolObserved)


def _device(name: str, kind: str, **details: Any) -> dict[str, Any]:
    return {"name": name, "attributes": {"kind": {"string": kind}}, **details}


def _partitions(gpu: int) -> list[dict[str, Any]]:
    return [
        _device(
            f"gpu-{gpu}-{size}-{place}",
            PARTITION,
            consumesCounters=[{"counterSet": f"gpu-{gpu}", "counters": {"slices": {"value": str(slices)}}}],
            capacity={"slices": {"value": str(slices)}},
        )
        for size, slices in _SLICES.items()
        for place in range(8 // slices)
    ]


def classes() -> tuple[DeviceClass, ...]:
    """One for each kind of device."""
    return tuple(
        wire.convert(
            {
                "metadata": {"name": name},
                "spec": {
                    "selectors": [
                        {
                            "cel": {
                                "expression": f"device.driver == '{driver}' &&"
                                f" device.attributes['{driver}'].kind == '{name}'"
                            }
                        }
                    ]
                },
            },
            DeviceClass,
        )
        for name, driver in ((WHOLE, GPU), (PARTITION, GPU), (SHARE, GPU), (CARD, NIC))
    )


def changed(pool: PoolObserved, whole: PoolObserved, rng: Random) -> PoolObserved:
    """The pool a generation later: a card lost with all its partitions, a device tainted, or all well."""
    generation = pool.generation + 1
    if rng.random() < 0.4:
        return msgspec.structs.replace(whole, generation=generation)
    name = rng.choice(whole.devices).name
    if rng.random() < 0.5:
        return msgspec.structs.replace(_without(pool, _card(name)), generation=generation)
    devices = tuple(_tainted(device, name) for device in pool.devices)
    return msgspec.structs.replace(pool, devices=devices, generation=generation)


def _card(device: str) -> str:
    return "-".join(device.split("-")[:2])


def _without(pool: PoolObserved, card: str) -> PoolObserved:
    return msgspec.structs.replace(
        pool,
        devices=tuple(device for device in pool.devices if _card(device.name) != card),
        shared_counters=tuple(each for each in pool.shared_counters if each.name != card),
    )


def _tainted(device: Device, name: DeviceName) -> Device:
    if device.name != name:
        return device
    return msgspec.structs.replace(device, taints=(DeviceTaint(key="broken", effect="NoSchedule"),))


def some_devices(rng: Random, fleet: Mapping[PoolKey, PoolObserved]) -> list[dict[str, Any]]:
    """Whole GPUs, of one node or of two, as another scheduler may have allocated them."""
    nodes = rng.sample([*_WHOLE_NODES], rng.choice([1, 1, 2]))
    return [
        {"request": f"gpu-{place}", "driver": GPU, "pool": node_name(node), "device": device.name}
        for place, node in enumerate(nodes)
        for device in rng.sample(fleet[node_name(node), GPU].devices, rng.choice([1, 2]))
    ]
