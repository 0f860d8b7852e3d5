"""What a simulated GPU allows when it is cut, with NVML's own refusals. Pure: a change is a new GPU.

The rules are NVML's: an instance begins where its profile may, overlaps no other, and all together
have no more slices and engines than the whole GPU.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable

import msgspec

from slicewire.common.nvml.partitions import (
    ComputeInstance,
    ComputeProfile,
    GpuInstance,
    MigProfile,
    Placement,
)
from slicewire.common.nvml.refusal import NvmlCode, NvmlRefused
from slicewire.common.nvml.simulated.cuts import compute_profiles
from slicewire.common.nvml.simulated.profiles import MODELS
from slicewire.common.nvml.simulated.state import SimulatedGpu

_SHARED_OUT = ("slices", "multiprocessors", "copy_engines", "decoders", "jpeg_engines", "ofa_engines")
"""What instances take from the GPU besides memory slices; encoders there are none."""
_IDS = {8: range(1), 4: range(1, 3), 2: range(3, 7), 1: range(7, 15)}
"""NVML numbers instances by size of placement: 0 is the whole GPU, 1 and 2 are halves, and so on."""


def with_mig_mode(gpu: SimulatedGpu, *, enabled: bool) -> SimulatedGpu:
    """Raises `NvmlRefused`. Where a reset is needed, `mig_pending` is set in what is returned."""
    model = MODELS[gpu.model]
    if not model.can_be_cut:
        raise NvmlRefused(NvmlCode.NOT_SUPPORTED, f"{model.product_name} has no MIG mode")
    if gpu.instances and not enabled:
        raise NvmlRefused(NvmlCode.IN_USE, f"{len(gpu.instances)} GPU instances exist: destroy them first")
    if gpu.processes:
        raise NvmlRefused(NvmlCode.IN_USE, f"in use by {_who(gpu.processes)}")
    if gpu.mig_enabled == enabled:
        return msgspec.structs.replace(gpu, mig_pending=None)
    if model.mig_needs_reset:
        return msgspec.structs.replace(gpu, mig_pending=enabled)
    return msgspec.structs.replace(gpu, mig_enabled=enabled, mig_pending=None)


def with_gpu_instance(gpu: SimulatedGpu, profile_id: int, start: int) -> tuple[SimulatedGpu, GpuInstance]:
    """Raises `NvmlRefused`."""
    profile = _profile(gpu, profile_id)
    placement = next((one for one in profile.placements if one.start == start), None)
    if placement is None:
        starts = ", ".join(str(one.start) for one in profile.placements)
        reason = f"{profile.name} may begin at memory slice {starts}, not {start}"
        raise NvmlRefused(NvmlCode.INVALID_ARGUMENT, reason)
    if lacking := _lacking(gpu, profile, placement):
        raise NvmlRefused(NvmlCode.INSUFFICIENT_RESOURCES, lacking)
    taken = {instance.id for instance in gpu.instances}
    made = GpuInstance(
        id=next(number for number in _IDS[placement.size] if number not in taken),
        profile_id=profile_id,
        placement=placement,
    )
    return _with_instances(gpu, (*gpu.instances, made)), filled(gpu, made)


def without_gpu_instance(gpu: SimulatedGpu, instance: int) -> SimulatedGpu:
    """Raises `NvmlRefused`."""
    found = _instance(gpu, instance)
    if found.compute_instances:
        count = len(found.compute_instances)
        raise NvmlRefused(NvmlCode.IN_USE, f"GPU instance {instance} has {count} compute instances")
    return _with_instances(gpu, (one for one in gpu.instances if one is not found))


def with_compute_instance(
    gpu: SimulatedGpu, gpu_instance: int, profile_id: int
) -> tuple[SimulatedGpu, ComputeInstance]:
    """Raises `NvmlRefused`."""
    parent = filled(gpu, _instance(gpu, gpu_instance))
    profiles = {profile.id: profile for profile in parent.compute_profiles}
    profile = profiles.get(profile_id)
    if profile is None:
        known = ", ".join(map(str, profiles))
        reason = f"GPU instance {gpu_instance} has no compute profile {profile_id}; there are {known}"
        raise NvmlRefused(NvmlCode.NOT_SUPPORTED, reason)
    number = _free_compute_id(parent, profile, profiles)
    made = ComputeInstance(
        id=number,
        profile_id=profile_id,
        uuid=f"MIG-{uuid.uuid5(uuid.UUID(gpu.uuid.removeprefix('GPU-')), f'{gpu_instance}/{number}')}",
    )
    return _with_compute(gpu, parent, (*parent.compute_instances, made)), made


def without_compute_instance(gpu: SimulatedGpu, gpu_instance: int, instance: int) -> SimulatedGpu:
    """Raises `NvmlRefused`."""
    parent = _instance(gpu, gpu_instance)
    found = next((one for one in parent.compute_instances if one.id == instance), None)
    if found is None:
        reason = f"GPU instance {gpu_instance} has no compute instance {instance}"
        raise NvmlRefused(NvmlCode.NOT_FOUND, reason)
    inside = tuple(
        one for one in gpu.processes if (one.gpu_instance, one.compute_instance) == (gpu_instance, instance)
    )
    if inside:
        raise NvmlRefused(NvmlCode.IN_USE, f"{found.uuid} is in use by {_who(inside)}")
    return _with_compute(gpu, parent, (one for one in parent.compute_instances if one is not found))


def filled(gpu: SimulatedGpu, instance: GpuInstance) -> GpuInstance:
    """With its compute profiles, which the state need not keep."""
    profiles = (one for one in MODELS[gpu.model].mig_profiles if one.id == instance.profile_id)
    return msgspec.structs.replace(instance, compute_profiles=compute_profiles(next(profiles)))


def _profile(gpu: SimulatedGpu, profile_id: int) -> MigProfile:
    if not gpu.mig_enabled:
        raise NvmlRefused(NvmlCode.NOT_SUPPORTED, "MIG mode is off")
    for profile in MODELS[gpu.model].mig_profiles:
        if profile.id == profile_id:
            return profile
    product = MODELS[gpu.model].product_name
    raise NvmlRefused(NvmlCode.NOT_SUPPORTED, f"{product} has no GPU instance profile {profile_id}")


def _lacking(gpu: SimulatedGpu, wanted: MigProfile, placement: Placement) -> str:
    """What is in the way; empty when nothing is."""
    for instance in gpu.instances:
        if instance.placement.overlaps(placement):
            there = instance.placement
            return (
                f"{wanted.name} at memory slice {placement.start}: GPU instance {instance.id} has"
                f" {there.start} to {there.end - 1}"
            )
    profiles = {profile.id: profile for profile in MODELS[gpu.model].mig_profiles}
    there_are = [profiles[instance.profile_id] for instance in gpu.instances]
    if sum(profile.id == wanted.id for profile in there_are) >= wanted.most_instances:
        return f"there may be {wanted.most_instances} {wanted.name}, and there are"
    whole = profiles[0]
    for share in _SHARED_OUT:
        left = getattr(whole, share) - sum(getattr(profile, share) for profile in there_are)
        if getattr(wanted, share) > left:
            needs = getattr(wanted, share)
            return f"{wanted.name} needs {needs} {share.replace('_', ' ')}, and {left} are left"
    return ""


def _instance(gpu: SimulatedGpu, number: int) -> GpuInstance:
    for instance in gpu.instances:
        if instance.id == number:
            return instance
    raise NvmlRefused(NvmlCode.NOT_FOUND, f"there is no GPU instance {number}")


def _free_compute_id(parent: GpuInstance, wanted: ComputeProfile, profiles: dict[int, ComputeProfile]) -> int:
    used = sum(profiles[one.profile_id].slices for one in parent.compute_instances)
    whole = parent.whole
    left = (whole.slices if whole else 0) - used
    if wanted.slices > left:
        reason = f"a compute instance of {wanted.slices} slices: GPU instance {parent.id} has {left} left"
        raise NvmlRefused(NvmlCode.INSUFFICIENT_RESOURCES, reason)
    taken = {one.id for one in parent.compute_instances}
    return next(number for number in range(len(taken) + 1) if number not in taken)


def _with_compute(gpu: SimulatedGpu, parent: GpuInstance, inside: Iterable[ComputeInstance]) -> SimulatedGpu:
    others = (one for one in gpu.instances if one.id != parent.id)
    ordered = tuple(sorted(inside, key=lambda one: one.id))
    changed = msgspec.structs.replace(parent, compute_profiles=(), compute_instances=ordered)
    return _with_instances(gpu, (*others, changed))


def _with_instances(gpu: SimulatedGpu, instances: Iterable[GpuInstance]) -> SimulatedGpu:
    return msgspec.structs.replace(gpu, instances=tuple(sorted(instances, key=lambda one: one.placement)))


def _who(processes: tuple[object, ...]) -> str:
    return "1 process" if len(processes) == 1 else f"{len(processes)} processes"
