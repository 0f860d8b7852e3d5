"""Which devices an event is about: all of a GPU, or the one MIG device that it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from slicewire.common.model import Device, DeviceName
from slicewire.common.model.naming import MigName, parsed
from slicewire.common.nvml.facts import Event, GpuFacts, NodeFacts, NvmlAbsent
from slicewire.common.nvml.partitions import GpuInstance
from slicewire.discovery.core import pci
from slicewire.discovery.core.health.places import place


class Struck(msgspec.Struct, frozen=True):
    """Nothing named: the whole GPU, which is on the safe side where the part cannot be found."""

    devices: tuple[DeviceName, ...] = ()
    instance: str = ""
    """The UUID of the MIG device, where it is a single one."""


def struck(event: Event, facts: NodeFacts | NvmlAbsent, devices: tuple[Device, ...]) -> Struck:
    gpu = _gpu(event.gpu, facts)
    instance = _instance(event, gpu)
    if gpu is None or instance is None:
        return Struck()
    uuids = tuple(
        compute.uuid for compute in instance.compute_instances if event.compute_instance in {None, compute.id}
    )
    here = (device for device in devices if place(device) == pci.bus_id(gpu.pci_bus_id))
    names = tuple(device.name for device in here if _is_one_of(device, uuids, instance))
    return Struck(names, uuids[0] if names and len(uuids) == 1 else "")


def instances_of(node: NodeFacts) -> Mapping[str, frozenset[str]]:
    """By the UUID of a GPU those of its MIG devices."""
    return {gpu.uuid: frozenset(_uuids(gpu)) for gpu in node.gpus}


def _uuids(gpu: GpuFacts) -> Iterator[str]:
    for instance in gpu.mig.instances if gpu.mig else ():
        for compute in instance.compute_instances:
            yield compute.uuid


def _gpu(uuid: str, facts: NodeFacts | NvmlAbsent) -> GpuFacts | None:
    gpus = facts.gpus if isinstance(facts, NodeFacts) else ()
    return next((gpu for gpu in gpus if gpu.uuid == uuid), None)


def _instance(event: Event, gpu: GpuFacts | None) -> GpuInstance | None:
    instances = gpu.mig.instances if gpu and gpu.mig else ()
    return next((instance for instance in instances if instance.id == event.gpu_instance), None)


def _is_one_of(device: Device, uuids: tuple[str, ...], instance: GpuInstance) -> bool:
    """A MIG device that exists has its UUID; a partition that may be cut is known by its place."""
    uuid = device.attributes.get("uuid")
    if uuid is not None and uuid.string in uuids:
        return True
    name = parsed(device.name)
    placed = (instance.profile_id, instance.placement.start)
    return isinstance(name, MigName) and (name.profile_id, name.start) == placed
