"""Steps for a GPU, or a part of one, that the processes of a claim use at the same time (MPS).

A control daemon is known by its devices: whoever shares them has one daemon together.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from string import hexdigits
from typing import ClassVar, assert_never

from slicewire.common.model.struct import Object
from slicewire.node_prep.core.hardware import FullGpu, Partition
from slicewire.node_prep.core.steps.step import PlanStep

_NAME_DIGITS = 16


class MpsDevice(Object, frozen=True):
    """A device of a daemon, and how much of its memory one process may have."""

    hardware: FullGpu | Partition
    memory_mebibytes: int | None = None
    """The unit in which a daemon is told; None: no limit."""

    @property
    def key(self) -> str:
        """Which device it is, before it exists too."""
        match self.hardware:
            case FullGpu(uuid):
                return uuid
            case Partition(gpu, profile_id, start, ""):
                return f"{gpu}/{profile_id}/{start}"
            case Partition(uuid=uuid):
                return uuid
            case never:
                assert_never(never)


def daemon_name(devices: Iterable[MpsDevice]) -> str:
    """Short, for the paths of sockets may not be long."""
    keys = ",".join(sorted(device.key for device in devices))
    return sha256(keys.encode()).hexdigest()[:_NAME_DIGITS]


def is_daemon_name(name: str) -> bool:
    return len(name) == _NAME_DIGITS and set(name) <= set(hexdigits.lower())


class MakeMpsDirectories(PlanStep, frozen=True, tag="makeMpsDirectories"):
    """Where a daemon and its clients meet. What is in memory of it is made anew after a reboot."""

    SURVIVES_REBOOT: ClassVar[bool] = True

    daemon: str

    @property
    def what(self) -> str:
        return f"make the directories of MPS control daemon {self.daemon}"


class SetExclusiveMode(PlanStep, frozen=True, tag="setExclusiveMode"):
    """The GPU is for one process, the daemon's server; for any number when the claim is over."""

    gpu: str

    @property
    def what(self) -> str:
        return f"reserve {self.gpu} for the MPS server"


class StartMps(PlanStep, frozen=True, tag="startMps"):
    """One control daemon for these devices, started again when it ends while a claim has them."""

    MAY_END: ClassVar[bool] = True

    devices: tuple[MpsDevice, ...]
    """By ordinal, as the daemon's clients count them."""
    active_thread_percentage: int | None = None
    multi_user: bool = False

    @property
    def daemon(self) -> str:
        return daemon_name(self.devices)

    @property
    def what(self) -> str:
        return f"start MPS control daemon {self.daemon} for {', '.join(one.key for one in self.devices)}"
