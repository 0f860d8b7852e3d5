"""The GPUs of the node as the steps need them: one by its UUID, and what NVML's refusals mean to a claim."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Protocol

from slicewire.common.nvml.facts import GpuFacts, NvmlAbsent
from slicewire.common.nvml.partitions import GpuInstance
from slicewire.common.nvml.port import NvmlControl
from slicewire.common.nvml.refusal import NvmlCode, NvmlRefused
from slicewire.node_prep.core.refusal import PrepareRefusal, Why

_GONE = (NvmlCode.NOT_FOUND, NvmlCode.LOST)
"""A GPU that fell off the bus comes back only by a reset, which takes all that was set on it."""
_MEANINGS: Mapping[NvmlCode, tuple[Why, str]] = {
    NvmlCode.INSUFFICIENT_RESOURCES: (
        Why.BUSY,
        "something that no claim of this node made has taken the place or the engines",
    ),
    NvmlCode.IN_USE: (Why.BUSY, "a process works with it; it is tried again"),
    NvmlCode.RESET_REQUIRED: (
        Why.DRIVER,
        "this GPU changes its MIG mode only by a reset, which an administrator must do",
    ),
    NvmlCode.NO_PERMISSION: (Why.DRIVER, "node-prep must run as root"),
    NvmlCode.NOT_SUPPORTED: (Why.UNSUPPORTED, "this GPU, or its driver, cannot do it"),
}


class Gpus:
    def __init__(self, nvml: NvmlControl) -> None:
        self.nvml = nvml

    def one(self, uuid: str) -> GpuFacts | PrepareRefusal:
        return self.to_undo(uuid) or PrepareRefusal(Why.DRIVER, f"the driver does not see {uuid} now")

    def to_undo(self, uuid: str) -> GpuFacts | PrepareRefusal | None:
        """None where it is gone, and all that was done to it."""
        facts = self.nvml.look()
        if isinstance(facts, NvmlAbsent):
            return PrepareRefusal(Why.DRIVER, f"the NVIDIA driver is not usable: {facts.reason}")
        return next((gpu for gpu in facts.gpus if gpu.uuid == uuid), None)

    def turn_mig_mode(self, uuid: str, *, enabled: bool) -> None:
        """Raises `NvmlRefused`, and then no reset will change the mode either."""
        try:
            self.nvml.set_mig_mode(uuid, enabled=enabled)
        except NvmlRefused as refused:
            if refused.code is NvmlCode.RESET_REQUIRED:
                with suppress(NvmlRefused):  # the refusal before it is the one to tell
                    self.nvml.set_mig_mode(uuid, enabled=not enabled)
            raise


def changes_mig_mode_without_reset(gpu: GpuFacts) -> bool:
    """Since Hopper they do (NVIDIA's MIG user guide)."""
    return gpu.architecture != "Ampere"


class Placed(Protocol):
    """What says which GPU instance is meant: its profile, and where it begins."""

    @property
    def profile_id(self) -> int: ...

    @property
    def start(self) -> int: ...


def instances(gpu: GpuFacts) -> tuple[GpuInstance, ...]:
    return gpu.mig.instances if gpu.mig is not None else ()


def instance_at(gpu: GpuFacts, wanted: Placed) -> GpuInstance | None:
    place = (wanted.profile_id, wanted.start)
    return next((one for one in instances(gpu) if (one.profile_id, one.placement.start) == place), None)


@contextmanager
def taking_back(*as_good: NvmlCode) -> Iterator[None]:
    """What was done to a GPU that is gone is undone; these refusals are `as_good` as that."""
    try:
        yield
    except NvmlRefused as refused:
        if refused.code not in (*_GONE, *as_good):
            raise


def refusal(refused: NvmlRefused) -> PrepareRefusal:
    why, meaning = _MEANINGS.get(refused.code, (Why.DRIVER, ""))
    return PrepareRefusal(why, f"{refused.what}: {meaning}" if meaning else refused.what)
