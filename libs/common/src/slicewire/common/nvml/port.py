"""What may be asked of NVML. All calls block: a service makes them in a thread."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from slicewire.common.nvml.facts import Event, EventKind, GpuFacts, NodeFacts, NvmlAbsent, Unseen

__all__ = ["Closed", "Event", "EventKind", "GpuFacts", "NodeFacts", "Nvml", "NvmlAbsent", "Unseen"]


class Closed(Exception):
    """The room was closed before it was asked. A bug, and better than an answer that looks like no GPUs."""


class Nvml(Protocol):
    """The GPUs of one node."""

    @property
    def sysfs_root(self) -> Path:
        """The directory that holds the node's `sys/`."""

    @property
    def driver_root(self) -> Path:
        """The directory that holds the driver's `dev/`, `usr/lib/…` and `usr/bin/`."""

    def look(self) -> NodeFacts | NvmlAbsent:
        """Everything, as it is now. A GPU that cannot be read is `Unseen`; the others are read.

        Raises `Closed`.
        """

    def wait(self, timeout_seconds: float) -> tuple[Event, ...]:
        """Until something happened since the last look, the time is over (then nothing), or `close`."""

    def close(self) -> None:
        """From any thread, more than once; a `wait` under way returns soon."""
