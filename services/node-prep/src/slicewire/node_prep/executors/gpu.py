"""Whole GPUs: there, in one piece, and how processes take turns on them."""

from __future__ import annotations

from slicewire.common.nvml.facts import ComputeMode, GpuFacts, TimeSlice
from slicewire.common.nvml.refusal import NvmlCode
from slicewire.node_prep.core.plan import PreparePlan
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from slicewire.node_prep.core.steps import FindGpu, Notes, SetTimeSlice, TurnMigModeOff
from slicewire.node_prep.executors.gpus import Gpus, instances, taking_back


class FindGpus:
    def __init__(self, gpus: Gpus) -> None:
        self._gpus = gpus

    def ready(self, step: FindGpu, plan: PreparePlan) -> Notes | PrepareRefusal | None:
        return self.do(step, plan)

    def do(self, step: FindGpu, plan: PreparePlan) -> Notes | PrepareRefusal:  # noqa: ARG002 - the port's
        gpu = self._gpus.one(step.gpu)
        return gpu if isinstance(gpu, PrepareRefusal) else {}

    def undo(self, step: FindGpu, plan: PreparePlan, notes: Notes) -> PrepareRefusal | None:
        """Nothing was changed."""

    def found(self, step: FindGpu, plan: PreparePlan, notes: Notes) -> bool | PrepareRefusal:  # noqa: ARG002
        gpu = self._gpus.one(step.gpu)
        return gpu if isinstance(gpu, PrepareRefusal) else True


class TurnsMigModeOff:
    def __init__(self, gpus: Gpus) -> None:
        self._gpus = gpus

    def ready(self, step: TurnMigModeOff, plan: PreparePlan) -> Notes | PrepareRefusal | None:  # noqa: ARG002
        gpu = self._gpus.one(step.gpu)
        if isinstance(gpu, PrepareRefusal):
            return gpu
        if not gpu.mig_enabled:
            return {}
        return _cut(gpu)

    def do(self, step: TurnMigModeOff, plan: PreparePlan) -> Notes | PrepareRefusal:  # noqa: ARG002
        self._gpus.turn_mig_mode(step.gpu, enabled=False)
        return {}

    def undo(self, step: TurnMigModeOff, plan: PreparePlan, notes: Notes) -> PrepareRefusal | None:
        """A GPU in one piece is in nobody's way."""

    def found(self, step: TurnMigModeOff, plan: PreparePlan, notes: Notes) -> bool | PrepareRefusal:  # noqa: ARG002
        gpu = self._gpus.one(step.gpu)
        return gpu if isinstance(gpu, PrepareRefusal) else not gpu.mig_enabled


class SetsTimeSlices:
    """The compute mode is part of it, as with NVIDIA's driver: turns are taken in the default mode only."""

    def __init__(self, gpus: Gpus) -> None:
        self._gpus = gpus

    def ready(self, step: SetTimeSlice, plan: PreparePlan) -> Notes | PrepareRefusal | None:  # noqa: ARG002
        gpu = self._gpus.one(step.gpu)
        return gpu if isinstance(gpu, PrepareRefusal) else None

    def do(self, step: SetTimeSlice, plan: PreparePlan) -> Notes | PrepareRefusal:  # noqa: ARG002
        self._set(step.gpu, TimeSlice(step.interval.value))
        return {}

    def undo(self, step: SetTimeSlice, plan: PreparePlan, notes: Notes) -> PrepareRefusal | None:  # noqa: ARG002
        with taking_back(NvmlCode.NOT_SUPPORTED):  # where it could not be set, it is as it always is
            self._set(step.gpu, TimeSlice.DEFAULT)
        return None

    def found(self, step: SetTimeSlice, plan: PreparePlan, notes: Notes) -> bool | PrepareRefusal:  # noqa: ARG002
        gpu = self._gpus.one(step.gpu)
        if isinstance(gpu, PrepareRefusal):
            return gpu
        # NVML tells no time-slices: what was set is believed, unless it is known to be otherwise.
        return gpu.time_slice in (None, TimeSlice(step.interval.value))

    def _set(self, gpu: str, interval: TimeSlice) -> None:
        self._gpus.nvml.set_compute_mode(gpu, ComputeMode.DEFAULT)
        self._gpus.nvml.set_time_slice(gpu, interval)


def _cut(gpu: GpuFacts) -> PrepareRefusal | None:
    """Why it cannot be put together; None where it can."""
    found = instances(gpu)
    if not found:
        return None
    parts = [one.uuid for instance in found for one in instance.compute_instances]
    return PrepareRefusal(
        Why.BUSY,
        f"{gpu.uuid} is cut into {len(found)} GPU instances ({', '.join(parts) or 'empty ones'}) that"
        " no claim of this node made: they are left alone, and the GPU cannot be had whole",
    )
