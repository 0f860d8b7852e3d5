"""What may be asked of NVML. All calls block: a service makes them in a thread.

`Nvml` is for who looks, `NvmlControl` for who also changes: discovery needs the first only. Looking never
raises for what NVML answers; what changes raises `NvmlRefused`. Any of them may be under way in several
threads at once, and a `wait` holds up none of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from slicewire.common.nvml.facts import (
    ComputeMode,
    Event,
    EventKind,
    GpuFacts,
    NodeFacts,
    NvmlAbsent,
    Process,
    TimeSlice,
    Unseen,
)
from slicewire.common.nvml.partitions import ComputeInstance, GpuInstance
from slicewire.common.nvml.refusal import NvmlCode, NvmlRefused

__all__ = [
    "Closed",
    "Event",
    "EventKind",
    "GpuFacts",
    "NodeFacts",
    "Nvml",
    "NvmlAbsent",
    "NvmlCode",
    "NvmlControl",
    "NvmlRefused",
    "Unseen",
]


class Closed(Exception):
    """The room was closed before it was asked. A bug, and better than an answer that looks like no GPUs."""


class Nvml(Protocol):
    """The GPUs of one node, to look at."""

    @property
    def sysfs_root(self) -> Path:
        """The directory that holds the node's `sys/` and `proc/`."""

    @property
    def driver_root(self) -> Path:
        """The directory that holds the driver's `dev/`, `usr/lib/…` and `usr/bin/`."""

    def look(self) -> NodeFacts | NvmlAbsent:
        """Everything, as it is now. A GPU that cannot be read is `Unseen`; the others are read.

        Raises `Closed`.
        """

    def wait(self, timeout_seconds: float) -> tuple[Event, ...]:
        """Until something happened since the last look, the time is over (then nothing), or `close`."""

    def let_go(self) -> None:
        """Hold no GPU open until the next look, which sees GPUs that came since.

        A kernel driver can be taken off a GPU only when nobody has it open.
        """

    def close(self) -> None:
        """From any thread, more than once; a `wait` under way returns soon."""


class NvmlControl(Nvml, Protocol):
    """The GPUs of one node, to change. A GPU is named by its UUID, an instance by NVML's id in its parent."""

    def processes(self, gpu: str) -> tuple[Process, ...]:
        """Who has this GPU open. Raises `NvmlRefused`, `Closed`."""

    def set_mig_mode(self, gpu: str, *, enabled: bool) -> None:
        """Raises `NvmlRefused`, `RESET_REQUIRED` where it is noted and waits for a reset; `Closed`."""

    def create_gpu_instance(self, gpu: str, profile_id: int, start: int) -> GpuInstance:
        """There and nowhere else. Raises `NvmlRefused`, `INSUFFICIENT_RESOURCES` if it is taken; `Closed`."""

    def destroy_gpu_instance(self, gpu: str, instance: int) -> None:
        """Its compute instances first. Raises `NvmlRefused`: `NOT_FOUND`, `IN_USE`; `Closed`."""

    def create_compute_instance(self, gpu: str, gpu_instance: int, profile_id: int) -> ComputeInstance:
        """`profile_id` of one of the instance's `compute_profiles`. Raises `NvmlRefused`, `Closed`."""

    def destroy_compute_instance(self, gpu: str, gpu_instance: int, instance: int) -> None:
        """Raises `NvmlRefused`: `NOT_FOUND`, `IN_USE`; `Closed`."""

    def set_compute_mode(self, gpu: str, mode: ComputeMode) -> None:
        """Raises `NvmlRefused`, `Closed`."""

    def set_time_slice(self, gpu: str, interval: TimeSlice) -> None:
        """Raises `NvmlRefused`: `NOT_SUPPORTED` on GPUs before Volta; `Closed`."""

    def set_persistence_mode(self, gpu: str, *, enabled: bool) -> None:
        """Whether the driver keeps the GPU ready while nobody uses it. Raises `NvmlRefused`, `Closed`."""
