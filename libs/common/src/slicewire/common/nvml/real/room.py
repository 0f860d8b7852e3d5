"""The room itself: who asks, who waits and who changes, over one session."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pynvml

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
from slicewire.common.nvml.port import Closed
from slicewire.common.nvml.real import cutting
from slicewire.common.nvml.real.asking import Failed, ask, code_of, do, text, text_of
from slicewire.common.nvml.real.events import Listener
from slicewire.common.nvml.real.gpus import COMPUTE_MODES, gpu_facts
from slicewire.common.nvml.real.processes import processes
from slicewire.common.nvml.real.session import Session
from slicewire.common.nvml.real.timeslice import set_time_slice
from slicewire.common.nvml.refusal import NvmlCode, NvmlRefused

_SLICE_SECONDS = 0.5
"""NVML's wait cannot be called off: short ones let `close` in between."""


class RealNvml:
    """`NvmlControl` of this machine. One in a process: the library has one state."""

    def __init__(self, library: str = "", driver_root: Path = Path("/")) -> None:
        self._driver_root = driver_root
        self._closed = threading.Event()
        self._listener = Listener()
        self._session = Session(library, driver_root, self._listener.stop)
        self._places: dict[int, str] = {}

    @property
    def sysfs_root(self) -> Path:
        return Path("/")

    @property
    def driver_root(self) -> Path:
        return self._driver_root

    def look(self) -> NodeFacts | NvmlAbsent:
        try:
            with self._session.entered():
                return self._node()
        except (OSError, Failed) as error:
            self._session.end()
            return NvmlAbsent(str(error))

    def wait(self, timeout_seconds: float) -> tuple[Event, ...]:
        deadline = time.monotonic() + timeout_seconds
        while not self._closed.is_set() and (left := deadline - time.monotonic()) > 0:
            if found := self._listen(min(left, _SLICE_SECONDS)):
                return found
        return ()

    def let_go(self) -> None:
        self._session.end()

    def close(self) -> None:
        self._closed.set()
        self._session.close()

    def processes(self, gpu: str) -> tuple[Process, ...]:
        with self._asked("list the processes", gpu) as handle:
            return processes(handle)

    def set_mig_mode(self, gpu: str, *, enabled: bool) -> None:
        with self._asked(f"turn MIG mode {'on' if enabled else 'off'}", gpu) as handle:
            activation = do(pynvml.nvmlDeviceSetMigMode, handle, int(enabled))
            if activation != pynvml.NVML_SUCCESS:
                raise Failed(code_of(activation), f"noted, and not in force yet: {text_of(activation)}")

    def create_gpu_instance(self, gpu: str, profile_id: int, start: int) -> GpuInstance:
        with self._asked(f"create a GPU instance of profile {profile_id}", gpu) as handle:
            return cutting.create_gpu_instance(handle, profile_id, start)

    def destroy_gpu_instance(self, gpu: str, instance: int) -> None:
        with self._asked(f"destroy GPU instance {instance}", gpu) as handle:
            cutting.destroy_gpu_instance(handle, instance)

    def create_compute_instance(self, gpu: str, gpu_instance: int, profile_id: int) -> ComputeInstance:
        with self._asked(f"create a compute instance in GPU instance {gpu_instance}", gpu) as handle:
            return cutting.create_compute_instance(handle, gpu_instance, profile_id)

    def destroy_compute_instance(self, gpu: str, gpu_instance: int, instance: int) -> None:
        what = f"destroy compute instance {instance} in GPU instance {gpu_instance}"
        with self._asked(what, gpu) as handle:
            cutting.destroy_compute_instance(handle, gpu_instance, instance)

    def set_compute_mode(self, gpu: str, mode: ComputeMode) -> None:
        with self._asked(f"set compute mode {mode}", gpu) as handle:
            do(pynvml.nvmlDeviceSetComputeMode, handle, COMPUTE_MODES[mode])

    def set_time_slice(self, gpu: str, interval: TimeSlice) -> None:
        with self._asked(f"set time-slice {interval}", gpu):
            set_time_slice(self._driver_root, self._session.library, gpu, interval)

    def set_persistence_mode(self, gpu: str, *, enabled: bool) -> None:
        with self._asked(f"turn persistence mode {'on' if enabled else 'off'}", gpu) as handle:
            do(pynvml.nvmlDeviceSetPersistenceMode, handle, int(enabled))

    @contextmanager
    def _asked(self, what: str, gpu: str) -> Iterator[object]:
        """The GPU's handle. Raises `NvmlRefused`, `Closed`."""
        try:
            with self._session.entered():
                yield do(pynvml.nvmlDeviceGetHandleByUUID, gpu)
        except Failed as failed:
            raise NvmlRefused(failed.code, f"{what} of {gpu}: {failed}") from failed
        except OSError as error:
            raise NvmlRefused(NvmlCode.DRIVER_AWAY, f"{what} of {gpu}: {error}") from error

    def _node(self) -> NodeFacts:
        driver_version = ask("driver version", pynvml.nvmlSystemGetDriverVersion)
        cuda = ask("CUDA driver version", pynvml.nvmlSystemGetCudaDriverVersion)
        seen = tuple(map(self._gpu, range(ask("GPU count", pynvml.nvmlDeviceGetCount))))
        return NodeFacts(
            driver_version=driver_version,
            cuda_driver_version=f"{cuda // 1000}.{cuda % 1000 // 10}",
            gpus=tuple(one for one in seen if isinstance(one, GpuFacts)),
            unseen=tuple(one for one in seen if isinstance(one, Unseen)),
        )

    def _gpu(self, index: int) -> GpuFacts | Unseen:
        try:
            handle = ask("handle", pynvml.nvmlDeviceGetHandleByIndex, index)
            pci = ask("PCI bus id", pynvml.nvmlDeviceGetPciInfo, handle)
            self._places[index] = text(pci.busId)
            facts = gpu_facts(handle, pci, self._places[index])
        except Failed as failed:
            place = self._places.get(index, "")  # a lost GPU no longer says where it is
            return Unseen(f"GPU with NVML index {index}", str(failed), place, failed.code)
        self._listener.listen_to(handle, facts.uuid)
        return facts

    def _listen(self, seconds: float) -> tuple[Event, ...]:
        if not self._listener.is_listening():
            self._closed.wait(seconds)
            return ()
        try:
            with self._session.entered(begin=False) as is_open:
                found = self._listener.heard(int(seconds * 1000)) if is_open else ()
        except Closed:
            return ()
        if found and found[-1].kind is EventKind.UNHEARD:
            self._closed.wait(_SLICE_SECONDS)  # it may fail again at once
        return found
