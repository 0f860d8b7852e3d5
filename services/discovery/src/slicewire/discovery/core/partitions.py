"""Partitions of a GPU (MIG): those that are there, or every one that could be.

One for each profile at each placement, as NVIDIA's DRA driver has them. Which can be had together the
counters say; that a partition is there already, `slicewire.dev/created`.
"""

from __future__ import annotations

from collections.abc import Iterator

from slicewire.common.model import (
    Device,
    DeviceAttribute,
    DeviceCapacity,
    DeviceCounterConsumption,
    DeviceName,
    Quantity,
)
from slicewire.common.model.naming import mig_name
from slicewire.common.nvml.partitions import GpuInstance, Mig, MigProfile, Placement
from slicewire.discovery.core import counters
from slicewire.discovery.core.additional import of_partition
from slicewire.discovery.core.attributes import text
from slicewire.discovery.core.gpu import SeenGpu
from slicewire.discovery.core.policy import DeviceType
from slicewire.discovery.core.shares import shared

_AMPERE = "Ampere"


def why_not_dynamic(gpu: SeenGpu) -> str:
    """Why partitions cannot be made of this GPU on demand; empty when they can."""
    mig = gpu.facts.mig
    if mig is None:
        return f"{gpu.facts.product_name} cannot be cut into partitions"
    if gpu.facts.is_vgpu:
        return "it is a part of a GPU that a hypervisor hands out, and those are not cut again"
    if not any(profile.placements for profile in mig.profiles):
        return "the driver does not say where partitions may be"
    if needs_reset(gpu) and not mig.enabled:
        return (
            "an Ampere GPU changes its MIG mode at a reset only, so partitions cannot be made on demand"
            " while it is off: turn MIG mode on and reset the GPU"
        )
    return ""


def needs_reset(gpu: SeenGpu) -> bool:
    """Later ones change their MIG mode whenever nobody uses them (NVIDIA MIG user guide)."""
    return gpu.facts.architecture == _AMPERE


def possible_partitions(gpu: SeenGpu, mig: Mig) -> Iterator[Device]:
    """Every profile at every placement. They draw from the GPU's counters, and have no UUID yet."""
    for profile in mig.profiles:
        found = counters.amounts(profile)
        for placement in profile.placements:
            taken = DeviceCounterConsumption(
                counter_set=gpu.counter_set, counters=counters.drawn(found, placement)
            )
            yield shared(
                Device(
                    name=_name(gpu, profile, placement),
                    attributes={**_attributes(gpu, profile), **of_partition(mig, profile, placement)},
                    capacity=counters.capacity(found),
                    consumes_counters=(taken,),
                ),
                gpu.choice.shares,
            )


def existing_partitions(gpu: SeenGpu, mig: Mig) -> Iterator[Device]:
    """Those that somebody made, with their UUIDs."""
    for instance in mig.instances:
        profile = mig.profile(instance.profile_id)
        uuid = whole_uuid(instance)
        if profile is None or not uuid:
            continue
        yield shared(
            Device(
                name=_name(gpu, profile, instance.placement),
                attributes={**_attributes(gpu, profile), "uuid": text(uuid)},
                capacity={**counters.capacity(counters.amounts(profile)), **_slices(instance.placement)},
            ),
            gpu.choice.shares,
        )


def unusable_instances(mig: Mig) -> Iterator[str]:
    """Why an instance that is there is not offered."""
    for instance in mig.instances:
        what = f"GPU instance {instance.id}"
        if mig.profile(instance.profile_id) is None:
            yield f"{what} has profile {instance.profile_id}, which the driver does not describe"
        elif not instance.compute_instances:
            yield f"{what} has no compute instance: nobody can use it"
        elif not whole_uuid(instance):
            yield f"{what} is divided into several compute instances, which are not offered apart"


def whole_uuid(instance: GpuInstance) -> str:
    """Of the compute instance that has all of it; empty where there is none."""
    if len(instance.compute_instances) != 1:
        return ""
    (only,) = instance.compute_instances
    whole = instance.whole
    return only.uuid if whole is None or only.profile_id == whole.id else ""


def _name(gpu: SeenGpu, profile: MigProfile, placement: Placement) -> DeviceName:
    return mig_name(gpu.number, profile.name, profile.id, placement.start)


def _attributes(gpu: SeenGpu, profile: MigProfile) -> dict[str, DeviceAttribute]:
    return {
        "type": text(DeviceType.MIG),
        "parentUUID": text(gpu.facts.uuid),
        "profile": text(profile.name),
        **gpu.shared,
    }


def _slices(placement: Placement) -> dict[str, DeviceCapacity]:
    slices = range(placement.start, placement.end)
    return {f"memorySlice{at}": DeviceCapacity(value=Quantity("1")) for at in slices}
