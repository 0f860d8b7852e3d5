"""How a GPU can be cut into instances (MIG), and how it is cut."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pynvml

from slicewire.common.nvml.partitions import (
    ComputeInstance,
    ComputeProfile,
    GpuInstance,
    Mig,
    MigProfile,
    Placement,
)
from slicewire.common.nvml.real.asking import Failed, Parts, ask, ask_if_there_is, text
from slicewire.common.nvml.refusal import NvmlCode

_NO_SUCH_PROFILE = (NvmlCode.NOT_SUPPORTED, NvmlCode.INVALID_ARGUMENT)
_SUFFIXES = {
    pynvml.NVML_GPU_INSTANCE_PROFILE_1_SLICE_REV1: "+me",
    pynvml.NVML_GPU_INSTANCE_PROFILE_2_SLICE_REV1: "+me",
    pynvml.NVML_GPU_INSTANCE_PROFILE_1_SLICE_GFX: "+gfx",
    pynvml.NVML_GPU_INSTANCE_PROFILE_2_SLICE_GFX: "+gfx",
    pynvml.NVML_GPU_INSTANCE_PROFILE_3_SLICE_GFX: "+gfx",
    pynvml.NVML_GPU_INSTANCE_PROFILE_4_SLICE_GFX: "+gfx",
    pynvml.NVML_GPU_INSTANCE_PROFILE_1_SLICE_NO_ME: "-me",
    pynvml.NVML_GPU_INSTANCE_PROFILE_2_SLICE_NO_ME: "-me",
    pynvml.NVML_GPU_INSTANCE_PROFILE_1_SLICE_ALL_ME: "+me.all",
    pynvml.NVML_GPU_INSTANCE_PROFILE_2_SLICE_ALL_ME: "+me.all",
}
_OWN_ENGINES = pynvml.NVML_COMPUTE_INSTANCE_ENGINE_PROFILE_SHARED
"""The only division of engines there is."""


def mig(handle: object, parts: Parts) -> Mig | None:
    """None where it cannot be cut. Raises `Failed` where it cannot be said what is taken."""
    mode = ask_if_there_is("MIG mode", pynvml.nvmlDeviceGetMigMode, handle)
    if mode is None:
        return None
    profiles = tuple(sorted(_profiles(handle, parts), key=lambda profile: profile.id))
    found = _instances(handle, profiles) if mode[0] else ()
    return Mig(
        enabled=bool(mode[0]),
        pending=bool(mode[1]),
        profiles=profiles,
        instances=tuple(sorted(found, key=lambda instance: instance.placement)),
    )


def _profiles(handle: object, parts: Parts) -> Iterator[MigProfile]:
    for number in range(pynvml.NVML_GPU_INSTANCE_PROFILE_COUNT):
        told = _unless_missing("GPU instance profile", _profile_info, handle, number)
        if told is not None:
            yield MigProfile(
                id=told.id,
                name=_name(handle, told, number),
                slices=told.sliceCount,
                memory_mib=told.memorySizeMB,
                multiprocessors=told.multiprocessorCount,
                copy_engines=told.copyEngineCount,
                decoders=told.decoderCount,
                encoders=told.encoderCount,
                jpeg_engines=told.jpegCount,
                ofa_engines=told.ofaCount,
                most_instances=told.instanceCount,
                placements=parts.ask("MIG placements", placements, handle, told.id) or (),
            )


def _unless_missing(what: str, call: Any, *arguments: object) -> Any:
    try:
        return ask(what, call, *arguments)
    except Failed as failed:
        if failed.code in _NO_SUCH_PROFILE:
            return None
        raise


def _profile_info(handle: object, number: int) -> Any:
    try:
        return pynvml.nvmlDeviceGetGpuInstanceProfileInfo(handle, number, 2)
    except pynvml.NVMLError_FunctionNotFound:  # before driver 510, and without a name
        return pynvml.nvmlDeviceGetGpuInstanceProfileInfo(handle, number, 1)


def _name(handle: object, told: Any, number: int) -> str:
    if name := text(getattr(told, "name", b"")).removeprefix("MIG ").strip():
        return name
    total = ask("memory", pynvml.nvmlDeviceGetMemoryInfo, handle).total
    gigabytes = _gigabytes(told.memorySizeMB * 1024**2, total)
    return f"{told.sliceCount}g.{gigabytes}gb{_SUFFIXES.get(number, '')}"


def _gigabytes(part: int, total: int) -> int:
    """As NVIDIA names a profile: its eighths of the memory, of the GPU's whole gigabytes, rounded."""
    eighths = math.ceil(Fraction(part * 8, total))
    return math.floor(Fraction(eighths * math.ceil(Fraction(total, 1024**3)), 8) + Fraction(1, 2))


def placements(handle: object, profile_id: int) -> tuple[Placement, ...]:
    count = ctypes.c_uint(0)
    pynvml.nvmlDeviceGetGpuInstancePossiblePlacements(handle, profile_id, None, ctypes.byref(count))
    places = (pynvml.c_nvmlGpuInstancePlacement_t * count.value)()
    pynvml.nvmlDeviceGetGpuInstancePossiblePlacements(handle, profile_id, places, ctypes.byref(count))
    return tuple(sorted(Placement(place.start, place.size) for place in places[: count.value]))


def _instances(handle: object, profiles: tuple[MigProfile, ...]) -> Iterator[GpuInstance]:
    for profile in profiles:
        call = pynvml.nvmlDeviceGetGpuInstances
        found = _handles(pynvml.c_nvmlGpuInstance_t, profile.most_instances, call, handle, profile.id)
        yield from map(instance, ask("GPU instances", found))


def instance(handle: object) -> GpuInstance:
    info = ask("GPU instance", pynvml.nvmlGpuInstanceGetInfo, handle)
    profiles = tuple(_compute_profiles(handle))
    return GpuInstance(
        id=info.id,
        profile_id=info.profileId,
        placement=Placement(info.placement.start, info.placement.size),
        compute_profiles=profiles,
        compute_instances=tuple(sorted(_compute_instances(handle, profiles), key=lambda one: one.id)),
    )


def _compute_profiles(instance: object) -> Iterator[ComputeProfile]:
    for number in range(pynvml.NVML_COMPUTE_INSTANCE_PROFILE_COUNT):
        call = pynvml.nvmlGpuInstanceGetComputeInstanceProfileInfo
        told = _unless_missing("compute instance profile", call, instance, number, _OWN_ENGINES, 1)
        if told is not None:
            yield ComputeProfile(
                id=told.id,
                slices=told.sliceCount,
                multiprocessors=told.multiprocessorCount,
                most_instances=told.instanceCount,
            )


def _compute_instances(instance: object, profiles: tuple[ComputeProfile, ...]) -> Iterator[ComputeInstance]:
    for profile in profiles:
        call = pynvml.nvmlGpuInstanceGetComputeInstances
        found = _handles(pynvml.c_nvmlComputeInstance_t, profile.most_instances, call, instance, profile.id)
        yield from map(compute_instance, ask("compute instances", found))


def compute_instance(handle: object) -> ComputeInstance:
    info = ask("compute instance", pynvml.nvmlComputeInstanceGetInfo_v2, handle)
    return ComputeInstance(
        id=info.id,
        profile_id=info.profileId,
        uuid=ask("UUID of compute instance", pynvml.nvmlDeviceGetUUID, info.device),
    )


def _handles(kind: Any, most: int, call: Any, *arguments: object) -> Any:
    """A question for NVML that answers with handles: it fills an array of the profile's instance count."""

    def asked() -> tuple[object, ...]:
        count = ctypes.c_uint(most)
        array = (kind * most)()
        call(*arguments, array, ctypes.byref(count))
        return tuple(array[: count.value])

    return asked
