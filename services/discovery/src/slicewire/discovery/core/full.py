"""A whole GPU: `gpu-<number>`."""

from __future__ import annotations

from slicewire.common.model import CounterSet, Device, DeviceCapacity, Quantity
from slicewire.common.model.naming import gpu_name
from slicewire.discovery.core import counters
from slicewire.discovery.core.additional import of_gpu
from slicewire.discovery.core.attributes import text
from slicewire.discovery.core.gpu import SeenGpu
from slicewire.discovery.core.policy import DeviceType
from slicewire.discovery.core.shares import shared


def full_gpu(gpu: SeenGpu, drawn_from: CounterSet | None, cut: counters.Amounts | None) -> Device:
    """With `cut`, of a GPU that can be cut at any time: its capacity is the most that a partition has."""
    device = Device(
        name=gpu_name(gpu.number),
        attributes={
            "type": text(DeviceType.GPU),
            "uuid": text(gpu.facts.uuid),
            **gpu.shared,
            **gpu.peers,
            **of_gpu(gpu.facts),
        },
        capacity=_memory(gpu) if cut is None else counters.capacity(cut),
        consumes_counters=counters.all_of(drawn_from),
    )
    return shared(device, gpu.choice.shares)


def _memory(gpu: SeenGpu) -> dict[str, DeviceCapacity]:
    if gpu.facts.memory_bytes is None:
        return {}
    return {"memory": DeviceCapacity(value=Quantity.of(gpu.facts.memory_bytes))}
