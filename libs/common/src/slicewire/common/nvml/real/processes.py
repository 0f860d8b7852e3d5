"""Who has a GPU open."""

from __future__ import annotations

from typing import Any

import pynvml

from slicewire.common.nvml.facts import Process
from slicewire.common.nvml.real.asking import ask_if_there_is, part


def processes(handle: object) -> tuple[Process, ...]:
    """Each once, whether it computes or draws. Raises `Failed`."""
    computing = ask_if_there_is("processes", pynvml.nvmlDeviceGetComputeRunningProcesses, handle)
    drawing = ask_if_there_is("processes", pynvml.nvmlDeviceGetGraphicsRunningProcesses, handle)
    found = {one.pid: _process(one) for one in (*(drawing or ()), *(computing or ()))}
    return tuple(found[pid] for pid in sorted(found))


def _process(told: Any) -> Process:
    return Process(
        pid=told.pid,
        memory_bytes=told.usedGpuMemory,
        gpu_instance=part(told.gpuInstanceId),
        compute_instance=part(told.computeInstanceId),
    )
