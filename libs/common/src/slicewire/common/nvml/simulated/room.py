"""The simulated room: GPUs that exist in a state file only, shared by the processes of one node.

The node's files (`sys/`, `proc/`, the driver's `root/`) lie beside the state and follow it. Whoever
changes the state file, by hand too, is noticed at the next look and wakes a `wait` at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from slicewire.common.nvml.facts import (
    ComputeMode,
    Event,
    EventKind,
    NodeFacts,
    NvmlAbsent,
    Process,
    TimeSlice,
)
from slicewire.common.nvml.partitions import ComputeInstance, GpuInstance
from slicewire.common.nvml.port import Closed
from slicewire.common.nvml.refusal import NvmlCode, NvmlRefused
from slicewire.common.nvml.simulated import cutting
from slicewire.common.nvml.simulated.binding import as_bound, is_silent
from slicewire.common.nvml.simulated.profiles import MODELS
from slicewire.common.nvml.simulated.seeing import code_of, seen
from slicewire.common.nvml.simulated.state import NVIDIA, BadState, NodeState, SimulatedGpu
from slicewire.common.nvml.simulated.statefile import Signature, StateFile
from slicewire.common.nvml.simulated.tree import plant, plant_cut
from slicewire.common.nvml.simulated.watching import FolderWatch, Watch

T = TypeVar("T")
_MODE_SECONDS, _INSTANCE_SECONDS, _COMPUTE_SECONDS = 1.5, 0.25, 0.1
"""About what a real GPU takes to change its MIG mode, to make or remove a GPU or compute instance."""
_COARSE_NANOSECONDS = 50_000_000
"""Two changes within this may leave the same time."""


class _Seen(msgspec.Struct, frozen=True):
    """What was in the state file of this signature."""

    signature: Signature
    facts: NodeFacts | NvmlAbsent


class SimulatedNvml:
    """`NvmlControl` of the node in this state file; where there is none yet, `newborn` is put there.

    `watch` is of the folder of the state file; without one the room has its own.
    """

    def __init__(
        self, path: Path, newborn: NodeState, *, takes_time: bool = False, watch: Watch | None = None
    ) -> None:
        self._file = StateFile(path)
        self._takes_time = takes_time
        self._closed = threading.Event()
        self._noticed: Signature | None = None
        self._planted: Signature | None = None
        self._seen: _Seen | None = None
        self._heard_xids: int | None = None
        self._latest_xid = 0
        with self._file.locked():
            if not path.exists():
                self._file.write(newborn)
        self._watch = watch or FolderWatch(path.parent)

    @property
    def sysfs_root(self) -> Path:
        return self._file.path.parent

    @property
    def driver_root(self) -> Path:
        return self._file.path.parent / "root"

    def look(self) -> NodeFacts | NvmlAbsent:
        if self._closed.is_set():
            raise Closed
        try:
            return self._seen_again() or self._seen_anew()
        except (BadState, OSError) as error:
            return NvmlAbsent(str(error))

    def wait(self, timeout_seconds: float) -> tuple[Event, ...]:
        deadline = time.monotonic() + timeout_seconds
        while self._file.signature() == self._noticed and not self._has_unheard_xids():
            left = deadline - time.monotonic()
            if left <= 0 or self._closed.is_set():
                return ()
            self._watch.wait(left)
        if self._closed.is_set():
            return ()
        self._noticed = self._file.signature()
        return self._news()

    def let_go(self) -> None:
        """It holds none open."""

    def close(self) -> None:
        self._closed.set()
        self._watch.wake()

    def processes(self, gpu: str) -> tuple[Process, ...]:
        return self._change("list the processes", gpu, lambda it: (it, it.processes))

    def set_mig_mode(self, gpu: str, *, enabled: bool) -> None:
        self._take(_MODE_SECONDS)
        what = f"turn MIG mode {'on' if enabled else 'off'}"

        def change(it: SimulatedGpu) -> tuple[SimulatedGpu, bool]:
            changed = cutting.with_mig_mode(it, enabled=enabled)
            return changed, changed.mig_pending is not None

        if self._change(what, gpu, change):
            raise NvmlRefused(NvmlCode.RESET_REQUIRED, f"{what} of {gpu}: noted, and true after a reset")

    def create_gpu_instance(self, gpu: str, profile_id: int, start: int) -> GpuInstance:
        self._take(_INSTANCE_SECONDS)
        what = f"create a GPU instance of profile {profile_id}"
        return self._change(what, gpu, lambda it: cutting.with_gpu_instance(it, profile_id, start))

    def destroy_gpu_instance(self, gpu: str, instance: int) -> None:
        self._take(_INSTANCE_SECONDS)
        what = f"destroy GPU instance {instance}"
        self._change(what, gpu, lambda it: (cutting.without_gpu_instance(it, instance), None))

    def create_compute_instance(self, gpu: str, gpu_instance: int, profile_id: int) -> ComputeInstance:
        self._take(_COMPUTE_SECONDS)
        what = f"create a compute instance in GPU instance {gpu_instance}"
        return self._change(what, gpu, lambda it: cutting.with_compute_instance(it, gpu_instance, profile_id))

    def destroy_compute_instance(self, gpu: str, gpu_instance: int, instance: int) -> None:
        self._take(_COMPUTE_SECONDS)
        what = f"destroy compute instance {instance} in GPU instance {gpu_instance}"
        self._change(
            what, gpu, lambda it: (cutting.without_compute_instance(it, gpu_instance, instance), None)
        )

    def set_compute_mode(self, gpu: str, mode: ComputeMode) -> None:
        self._change(f"set compute mode {mode}", gpu, lambda it: (_with_compute_mode(it, mode), None))

    def set_time_slice(self, gpu: str, interval: TimeSlice) -> None:
        what = f"set time-slice {interval}"
        self._change(what, gpu, lambda it: (msgspec.structs.replace(it, time_slice=interval), None))

    def set_persistence_mode(self, gpu: str, *, enabled: bool) -> None:
        what = f"turn persistence mode {'on' if enabled else 'off'}"
        self._change(what, gpu, lambda it: (msgspec.structs.replace(it, persistence=enabled), None))

    def _take(self, seconds: float) -> None:
        """The time it takes on a real GPU: before the lock, so that other GPUs are not held up."""
        if self._takes_time:
            self._closed.wait(seconds)

    def _change(self, what: str, gpu: str, change: Callable[[SimulatedGpu], tuple[SimulatedGpu, T]]) -> T:
        if self._closed.is_set():
            raise Closed
        try:
            with self._file.locked():
                state = self._file.read()
                before = _answering(state, gpu)
                after, answer = change(before)
                if after != before:
                    self._cut(state.with_gpu_as(after), after)
        except NvmlRefused as refused:
            raise NvmlRefused(refused.code, f"{what} of {gpu}: {refused.what}") from refused
        except (BadState, OSError) as error:
            raise NvmlRefused(NvmlCode.DRIVER_AWAY, f"{what} of {gpu}: {error}") from error
        return answer

    def _cut(self, state: NodeState, changed: SimulatedGpu) -> None:
        """Under the lock only. How a GPU is cut and set is in few of the files."""
        if self._planted != self._file.signature():
            self._become(state)
            return
        self._file.write(state)
        plant_cut(self._file.path.parent, changed)
        self._planted = self._file.signature()

    def _become(self, state: NodeState, *, write: bool = True) -> None:
        """Under the lock only."""
        if write:
            self._file.write(state)
        plant(self._file.path.parent, state)
        self._planted = self._file.signature()

    def _seen_again(self) -> NodeFacts | NvmlAbsent | None:
        """What the latest look saw, where nothing was written since; None where that is not known. A file
        that was written a moment ago may be written again and bear the same time."""
        known = self._seen
        if (
            known is None
            or self._file.signature() != known.signature
            or not is_silent(self.sysfs_root / "sys")
        ):
            return None
        age = time.time_ns() - known.signature[1]
        return known.facts if age > _COARSE_NANOSECONDS else None

    def _seen_anew(self) -> NodeFacts | NvmlAbsent:
        state, signature = self._agreed()
        facts = seen(state)
        self._seen = None if signature is None else _Seen(signature, facts)
        return facts

    def _agreed(self) -> tuple[NodeState, Signature | None]:
        """The state, with the files beside it made to agree."""
        with self._file.locked():
            state = self._file.read()
            bound = as_bound(self.sysfs_root / "sys", state)
            if bound != state or self._planted != self._file.signature():
                self._become(bound, write=bound != state)
            self._noticed = signature = self._planted
        state = bound
        self._latest_xid = _last_xid(state)
        if self._heard_xids is None:  # what was reported before we came is not news
            self._heard_xids = self._latest_xid
        return state, signature

    def _has_unheard_xids(self) -> bool:
        """A look may have noticed the change that an XID is, but only waiting hears it."""
        return self._heard_xids is not None and self._latest_xid > self._heard_xids

    def _news(self) -> tuple[Event, ...]:
        try:
            state = self._file.read()
        except BadState:
            return (Event(EventKind.CHANGED),)  # the look that follows says what is wrong with it
        fresh = tuple(xid for xid in state.xids if xid.number > (self._heard_xids or 0))
        self._heard_xids = self._latest_xid = _last_xid(state)
        return tuple(
            Event(xid.kind, xid.gpu, xid.code, xid.gpu_instance, xid.compute_instance) for xid in fresh
        ) or (Event(EventKind.CHANGED),)


def _last_xid(state: NodeState) -> int:
    return max((xid.number for xid in state.xids), default=0)


def _answering(state: NodeState, uuid: str) -> SimulatedGpu:
    """Raises `NvmlRefused`."""
    if state.absent:
        raise NvmlRefused(NvmlCode.DRIVER_AWAY, state.absent)
    gpu = state.of_uuid(uuid)
    if gpu is None or gpu.kernel_driver != NVIDIA:
        raise NvmlRefused(NvmlCode.NOT_FOUND, "NVML has no such GPU")
    if gpu.fault:
        raise NvmlRefused(code_of(gpu.fault), gpu.fault)
    if gpu.model not in MODELS:
        raise NvmlRefused(NvmlCode.NOT_SUPPORTED, f"model {gpu.model!r} cannot be simulated")
    return gpu


def _with_compute_mode(gpu: SimulatedGpu, mode: ComputeMode) -> SimulatedGpu:
    """Raises `NvmlRefused`."""
    if gpu.mig_enabled and mode is not ComputeMode.DEFAULT:
        raise NvmlRefused(NvmlCode.NOT_SUPPORTED, "in MIG mode it is default and stays so")
    if mode is ComputeMode.EXCLUSIVE_THREAD:
        raise NvmlRefused(NvmlCode.NOT_SUPPORTED, "drivers have it no more")
    return msgspec.structs.replace(gpu, compute_mode=mode)
