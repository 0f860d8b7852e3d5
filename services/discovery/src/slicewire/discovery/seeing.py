"""The NVML door, with what was last seen through it: so that one look serves whoever interprets it.

It stays shut while a GPU is about to be taken from its driver for a virtual machine: whoever looks has
every GPU open, and the kernel takes the driver off when nobody has. What was last seen stands meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from slicewire.common.nvml.facts import Event, NodeFacts, NvmlAbsent
from slicewire.common.nvml.port import Nvml
from slicewire.discovery import sysfs
from slicewire.discovery.core.pci import is_to_be_let_go

_LONGEST_SECONDS = 120.0
"""A reservation that comes to nothing must not blind us: node-prep gives up after 75 s."""
_NOT_LOOKED = NvmlAbsent("nobody has looked yet")


class SeeingNvml:
    """An `Nvml` through another one."""

    def __init__(self, nvml: Nvml, clock: Callable[[], float] = time.monotonic) -> None:
        self._nvml = nvml
        self._clock = clock
        self._shut_since: float | None = None
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
        if self._is_shut():
            self._nvml.let_go()
        else:
            self._seen = self._nvml.look()
        return self._seen

    def wait(self, timeout_seconds: float) -> tuple[Event, ...]:
        return self._nvml.wait(timeout_seconds)

    def let_go(self) -> None:
        self._nvml.let_go()

    def close(self) -> None:
        self._nvml.close()

    def _is_shut(self) -> bool:
        if not any(map(is_to_be_let_go, sysfs.gpus_on_the_bus(self.sysfs_root))):
            self._shut_since = None
            return False
        if self._shut_since is None:
            self._shut_since = self._clock()
        return self._seen is not _NOT_LOOKED and self._clock() - self._shut_since < _LONGEST_SECONDS
