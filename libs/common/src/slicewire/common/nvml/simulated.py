"""The simulated room: GPUs that exist in a state file only, shared by the processes of one node.

The node's files (`sys/`, the driver's `root/`) lie beside the state and follow it. Whoever changes
the state file, by hand too, is noticed at the next look and wakes a `wait`.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

from slicewire.common.nvml.facts import Event, EventKind, GpuFacts, NodeFacts, NvmlAbsent, Unseen
from slicewire.common.nvml.port import Closed
from slicewire.common.nvml.profiles import MODELS
from slicewire.common.nvml.state import BadState, NodeState, SimulatedGpu
from slicewire.common.nvml.statefile import Signature, StateFile
from slicewire.common.nvml.tree import plant

_GLANCE_SECONDS = 0.1


class SimulatedNvml:
    """`Nvml` of the node in this state file; where there is none yet, `newborn` is put there."""

    def __init__(self, path: Path, newborn: NodeState) -> None:
        self._file = StateFile(path)
        self._closed = threading.Event()
        self._noticed: Signature | None = None
        self._planted: Signature | None = None
        self._heard_xids: int | None = None
        with self._file.locked():
            if not path.exists():
                self._file.write(newborn)

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
            state = self._agreed()
        except (BadState, OSError) as error:
            return NvmlAbsent(str(error))
        if state.absent:
            return NvmlAbsent(state.absent)
        seen = tuple(map(_seen, state.gpus))
        return NodeFacts(
            driver_version=state.driver_version,
            cuda_driver_version=state.cuda_driver_version,
            gpus=tuple(one for one in seen if isinstance(one, GpuFacts)),
            unseen=tuple(one for one in seen if isinstance(one, Unseen)),
        )

    def wait(self, timeout_seconds: float) -> tuple[Event, ...]:
        deadline = time.monotonic() + timeout_seconds
        while self._file.signature() == self._noticed:
            left = deadline - time.monotonic()
            if left <= 0 or self._closed.wait(min(left, _GLANCE_SECONDS)):
                return ()
        self._noticed = self._file.signature()
        return self._news()

    def close(self) -> None:
        self._closed.set()

    def _agreed(self) -> NodeState:
        """The state, with the files beside it made to agree."""
        with self._file.locked():
            self._noticed = self._file.signature()
            state = self._file.read()
            if self._planted != self._noticed:
                plant(self._file.path.parent, state)
                self._planted = self._noticed
        if self._heard_xids is None:  # what was reported before we came is not news
            self._heard_xids = _last_xid(state)
        return state

    def _news(self) -> tuple[Event, ...]:
        try:
            state = self._file.read()
        except BadState:
            return (Event(EventKind.CHANGED),)  # the look that follows says what is wrong with it
        fresh = tuple(xid for xid in state.xids if xid.number > (self._heard_xids or 0))
        self._heard_xids = _last_xid(state)
        return tuple(Event(EventKind.XID, xid.gpu, xid.code) for xid in fresh) or (Event(EventKind.CHANGED),)


def _last_xid(state: NodeState) -> int:
    return max((xid.number for xid in state.xids), default=0)


def _seen(gpu: SimulatedGpu) -> GpuFacts | Unseen:
    bus_id = _as_nvml_writes(gpu.pci_bus_id)
    if gpu.fault:
        return Unseen(f"GPU {gpu.minor}", gpu.fault, bus_id)
    model = MODELS.get(gpu.model)
    if model is None:
        return Unseen(f"GPU {gpu.minor}", f"model {gpu.model!r} cannot be simulated", bus_id)
    return GpuFacts(
        minor=gpu.minor,
        uuid=gpu.uuid,
        pci_bus_id=bus_id,
        product_name=model.product_name,
        brand=model.brand,
        architecture=model.architecture,
        cuda_compute_capability=model.cuda_compute_capability,
        memory_bytes=model.memory_bytes,
        mig_enabled=gpu.mig_enabled,
    )


def _as_nvml_writes(bus_id: str) -> str:
    return f"0000{bus_id.upper()}"
