"""Partitions of GPUs: made where the plan says, removed when nobody wants them, and never another's.

A partition is known by profile and place. That there was none is seen before it is written down that
one is to be made; so one that is found there later is ours, even if we were killed before we knew its id.
"""

from __future__ import annotations

from slicewire.common.logs import Log
from slicewire.common.nvml.facts import GpuFacts
from slicewire.common.nvml.partitions import ComputeInstance, GpuInstance, Placement
from slicewire.node_prep.core.plan import PreparePlan
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from slicewire.node_prep.core.steps import (
    CreateComputeInstance,
    CreateGpuInstance,
    FindPartition,
    Notes,
    TurnMigModeOn,
)
from slicewire.node_prep.executors.gpus import (
    Gpus,
    changes_mig_mode_without_reset,
    instance_at,
    taking_back,
)

_FOUND_ON = {"before": "on"}
_log = Log("node-prep")
_Placed = FindPartition | CreateGpuInstance | CreateComputeInstance


class FindsPartitions:
    def __init__(self, gpus: Gpus) -> None:
        self._gpus = gpus

    def ready(self, step: FindPartition, plan: PreparePlan) -> Notes | PrepareRefusal | None:
        return self.do(step, plan)

    def do(self, step: FindPartition, plan: PreparePlan) -> Notes | PrepareRefusal:
        found = self.found(step, plan, {})
        if isinstance(found, PrepareRefusal):
            return found
        return {} if found else PrepareRefusal(Why.DRIVER, f"{step.what}: it is not there now")

    def undo(self, step: FindPartition, plan: PreparePlan, notes: Notes) -> PrepareRefusal | None:
        """Nothing was changed."""

    def found(self, step: FindPartition, plan: PreparePlan, notes: Notes) -> bool | PrepareRefusal:  # noqa: ARG002
        instance = _now(self._gpus, step)
        if isinstance(instance, PrepareRefusal):
            return instance
        uuids = [one.uuid for one in instance.compute_instances] if instance is not None else []
        return step.uuid in uuids if step.uuid else bool(uuids)


class TurnsMigModeOn:
    def __init__(self, gpus: Gpus) -> None:
        self._gpus = gpus

    def ready(self, step: TurnMigModeOn, plan: PreparePlan) -> Notes | PrepareRefusal | None:  # noqa: ARG002
        gpu = self._gpus.one(step.gpu)
        if isinstance(gpu, PrepareRefusal):
            return gpu
        if gpu.mig is None:
            return PrepareRefusal(Why.UNSUPPORTED, f"{gpu.uuid} ({gpu.product_name}) cannot be cut")
        if gpu.mig_enabled:
            return _FOUND_ON
        if not changes_mig_mode_without_reset(gpu):
            return PrepareRefusal(
                Why.DRIVER,
                f"{gpu.uuid} ({gpu.product_name}) is not in MIG mode, and changes it only by a reset, which"
                " an administrator must do",
            )
        return None

    def do(self, step: TurnMigModeOn, plan: PreparePlan) -> Notes | PrepareRefusal:  # noqa: ARG002
        self._gpus.turn_mig_mode(step.gpu, enabled=True)
        return {}

    def undo(self, step: TurnMigModeOn, plan: PreparePlan, notes: Notes) -> PrepareRefusal | None:  # noqa: ARG002
        if notes == _FOUND_ON:
            return None
        gpu = self._gpus.to_undo(step.gpu)
        if isinstance(gpu, PrepareRefusal) or gpu is None:
            return gpu
        if gpu.mig is None or not gpu.mig.enabled or gpu.mig.instances:
            return None  # what others have cut out since is theirs, and needs the mode
        with taking_back():
            self._gpus.turn_mig_mode(step.gpu, enabled=False)
        return None

    def found(self, step: TurnMigModeOn, plan: PreparePlan, notes: Notes) -> bool | PrepareRefusal:  # noqa: ARG002
        gpu = self._gpus.one(step.gpu)
        return gpu if isinstance(gpu, PrepareRefusal) else gpu.mig_enabled


class CreatesGpuInstances:
    def __init__(self, gpus: Gpus) -> None:
        self._gpus = gpus

    def ready(self, step: CreateGpuInstance, plan: PreparePlan) -> Notes | PrepareRefusal | None:  # noqa: ARG002
        gpu = self._gpus.one(step.gpu)
        return gpu if isinstance(gpu, PrepareRefusal) else _in_the_way(gpu, step)

    def do(self, step: CreateGpuInstance, plan: PreparePlan) -> Notes | PrepareRefusal:  # noqa: ARG002
        there = _now(self._gpus, step)
        if isinstance(there, PrepareRefusal):
            return there
        made = there or self._gpus.nvml.create_gpu_instance(step.gpu, step.profile_id, step.start)
        return {"gpuInstance": str(made.id)}

    def undo(self, step: CreateGpuInstance, plan: PreparePlan, notes: Notes) -> PrepareRefusal | None:
        instance = _to_undo(self._gpus, step)
        if isinstance(instance, PrepareRefusal) or instance is None:
            return instance
        if notes and notes != {"gpuInstance": str(instance.id)}:
            _tell_left_alone(step, plan, instance)
            return None
        if instance.compute_instances:
            inside = ", ".join(one.uuid for one in instance.compute_instances)
            return PrepareRefusal(
                Why.BUSY, f"GPU instance {instance.id} of {step.gpu} has {inside}, made by somebody else"
            )
        with taking_back():
            self._gpus.nvml.destroy_gpu_instance(step.gpu, instance.id)
        return None

    def found(self, step: CreateGpuInstance, plan: PreparePlan, notes: Notes) -> bool | PrepareRefusal:  # noqa: ARG002
        instance = _now(self._gpus, step)
        if isinstance(instance, PrepareRefusal):
            return instance
        return instance is not None and notes == {"gpuInstance": str(instance.id)}


class CreatesComputeInstances:
    def __init__(self, gpus: Gpus) -> None:
        self._gpus = gpus

    def ready(self, step: CreateComputeInstance, plan: PreparePlan) -> Notes | PrepareRefusal | None:  # noqa: ARG002
        instance = self._instance(step)
        if isinstance(instance, PrepareRefusal):
            return instance
        return _already_divided(step, instance) if instance.compute_instances else None

    def do(self, step: CreateComputeInstance, plan: PreparePlan) -> Notes | PrepareRefusal:  # noqa: ARG002
        instance = self._instance(step)
        if isinstance(instance, PrepareRefusal):
            return instance
        if instance.compute_instances:
            return _notes(instance, instance.compute_instances[0])
        if instance.whole is None:
            return PrepareRefusal(Why.DRIVER, f"{step.what}: the driver names no compute instance profile")
        nvml = self._gpus.nvml
        return _notes(instance, nvml.create_compute_instance(step.gpu, instance.id, instance.whole.id))

    def undo(self, step: CreateComputeInstance, plan: PreparePlan, notes: Notes) -> PrepareRefusal | None:
        instance = _to_undo(self._gpus, step)
        if isinstance(instance, PrepareRefusal) or instance is None:
            return instance
        for inside in instance.compute_instances:
            if notes and notes != _notes(instance, inside):
                _tell_left_alone(step, plan, instance)
                continue
            with taking_back():
                self._gpus.nvml.destroy_compute_instance(step.gpu, instance.id, inside.id)
        return None

    def found(self, step: CreateComputeInstance, plan: PreparePlan, notes: Notes) -> bool | PrepareRefusal:  # noqa: ARG002
        instance = _now(self._gpus, step)
        if isinstance(instance, PrepareRefusal):
            return instance
        return instance is not None and any(
            notes == _notes(instance, inside) for inside in instance.compute_instances
        )

    def _instance(self, step: CreateComputeInstance) -> GpuInstance | PrepareRefusal:
        found = _now(self._gpus, step)
        return found or PrepareRefusal(Why.BUSY, f"{step.what}: the GPU instance is gone")


def _now(gpus: Gpus, step: _Placed) -> GpuInstance | PrepareRefusal | None:
    """Where the step has it; None where there is none."""
    gpu = gpus.one(step.gpu)
    return gpu if isinstance(gpu, PrepareRefusal) else instance_at(gpu, step)


def _to_undo(gpus: Gpus, step: _Placed) -> GpuInstance | PrepareRefusal | None:
    """None where there is none any more, or no GPU."""
    gpu = gpus.to_undo(step.gpu)
    return gpu if isinstance(gpu, PrepareRefusal) or gpu is None else instance_at(gpu, step)


def _in_the_way(gpu: GpuFacts, step: CreateGpuInstance) -> PrepareRefusal | None:
    if gpu.mig is None:
        return PrepareRefusal(Why.UNSUPPORTED, f"{gpu.uuid} ({gpu.product_name}) cannot be cut")
    profile = gpu.mig.profile(step.profile_id)
    if profile is None:
        return PrepareRefusal(
            Why.UNSUPPORTED, f"{gpu.uuid} ({gpu.product_name}) has no GPU instance profile {step.profile_id}"
        )
    # Where a driver tells no placements, NVML itself refuses what cannot be.
    sizes = {place.start: place.size for place in profile.placements}
    wanted = Placement(step.start, sizes.get(step.start, 1))
    for instance in gpu.mig.instances:
        if instance.placement.overlaps(wanted):
            return _taken(gpu, step, instance)
    return None


def _taken(gpu: GpuFacts, step: CreateGpuInstance, instance: GpuInstance) -> PrepareRefusal:
    first, size = instance.placement.start, instance.placement.size
    inside = ", ".join(one.uuid for one in instance.compute_instances) or "nothing in it"
    return PrepareRefusal(
        Why.BUSY,
        f"{step.what}: GPU instance {instance.id} ({inside}) has memory slices {first} to {first + size - 1}"
        f" of {gpu.uuid} and is not this claim's: it is left alone",
    )


def _already_divided(step: CreateComputeInstance, instance: GpuInstance) -> PrepareRefusal:
    inside = ", ".join(one.uuid for one in instance.compute_instances)
    return PrepareRefusal(Why.BUSY, f"{step.what}: somebody else has made {inside} in it: it is left alone")


def _notes(instance: GpuInstance, inside: ComputeInstance) -> Notes:
    return {"gpuInstance": str(instance.id), "computeInstance": str(inside.id), "uuid": inside.uuid}


def _tell_left_alone(step: _Placed, plan: PreparePlan, instance: GpuInstance) -> None:
    _log.error(
        "partition is another's now: left alone",
        claim=plan.claim,
        gpu=step.gpu,
        profile=step.profile_id,
        start=step.start,
        gpu_instance=instance.id,
    )
