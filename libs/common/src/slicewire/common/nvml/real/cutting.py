"""Cutting a GPU into instances (MIG), and removing them."""

from __future__ import annotations

import ctypes
from contextlib import suppress

import pynvml

from slicewire.common.nvml.partitions import ComputeInstance, GpuInstance
from slicewire.common.nvml.real.asking import Failed, do
from slicewire.common.nvml.real.instances import compute_instance, instance, placements
from slicewire.common.nvml.refusal import NvmlCode


def create_gpu_instance(handle: object, profile_id: int, start: int) -> GpuInstance:
    """Raises `Failed`, and then there is none."""
    sizes = {place.start: place.size for place in do(placements, handle, profile_id)}
    if start not in sizes:
        starts = ", ".join(map(str, sizes))
        text = f"profile {profile_id} may begin at memory slice {starts}, not {start}"
        raise Failed(NvmlCode.INVALID_ARGUMENT, text)
    place = pynvml.c_nvmlGpuInstancePlacement_t(start=start, size=sizes[start])
    made = do(pynvml.nvmlDeviceCreateGpuInstanceWithPlacement, handle, profile_id, ctypes.byref(place))
    try:
        return instance(made)
    except Failed:
        with suppress(Failed):  # the failure before it is the one to tell
            do(pynvml.nvmlGpuInstanceDestroy, made)
        raise


def destroy_gpu_instance(handle: object, instance: int) -> None:
    """Raises `Failed`."""
    do(pynvml.nvmlGpuInstanceDestroy, do(pynvml.nvmlDeviceGetGpuInstanceById, handle, instance))


def create_compute_instance(handle: object, gpu_instance: int, profile_id: int) -> ComputeInstance:
    """Raises `Failed`, and then there is none."""
    parent = do(pynvml.nvmlDeviceGetGpuInstanceById, handle, gpu_instance)
    made = do(pynvml.nvmlGpuInstanceCreateComputeInstance, parent, profile_id)
    try:
        return compute_instance(made)
    except Failed:
        with suppress(Failed):
            do(pynvml.nvmlComputeInstanceDestroy, made)
        raise


def destroy_compute_instance(handle: object, gpu_instance: int, instance: int) -> None:
    """Raises `Failed`."""
    parent = do(pynvml.nvmlDeviceGetGpuInstanceById, handle, gpu_instance)
    do(pynvml.nvmlComputeInstanceDestroy, do(pynvml.nvmlGpuInstanceGetComputeInstanceById, parent, instance))
