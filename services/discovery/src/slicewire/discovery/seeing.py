"""The NVML door, with what was last seen through it: so that one look serves whoever interprets it."""

from __future__ import annotations

from pathlib import Path

from slicewire.common.nvml.facts import Event, NodeFacts, NvmlAbsent
from slicewire.common.nvml.port import Nvml

_NOT_LOOKED = NvmlAbsent("nobody has looked yet")


class SeeingNvml:
    """An `Nvml` through another one."""

    def __init__(self, nvml: Nvml) -> None:
        self._nvml = nvml
        self._seen: NodeFacts | NvmlAbsent = _NOT_LOOKED

    @property
    def seen(self) -> NodeFacts | NvmlAbsent:
        """By the last look."""
        return self._seen

    @property
    def sysfs_root(self) -> Path:
        return self._nvml.sysfs_root

    @property
    def driver_root(self) -> Path:
        return self._nvml.driver_root

    def look(self) -> NodeFacts | NvmlAbsent:
        self._seen = self._nvml.look()
        return self._seen

    def wait(self, timeout_seconds: float) -> tuple[Event, ...]:
        return self._nvml.wait(timeout_seconds)

    def let_go(self) -> None:
        self._nvml.let_go()

    def close(self) -> None:
        self._nvml.close()
