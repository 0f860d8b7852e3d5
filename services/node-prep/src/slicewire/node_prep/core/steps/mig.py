"""Steps for a partition of a GPU (MIG). A partition is known by its profile and where it begins."""

from __future__ import annotations

from typing import ClassVar

from slicewire.node_prep.core.steps.step import PlanStep


class FindPartition(PlanStep, frozen=True, tag="findPartition"):
    """Somebody else has made it, under this UUID if there is one. Nothing is changed."""

    UNDONE_FREELY: ClassVar[bool] = True

    gpu: str
    profile_id: int
    start: int
    uuid: str = ""

    @property
    def what(self) -> str:
        name = self.uuid or f"the partition of profile {self.profile_id} at memory slice {self.start}"
        return f"find {name} of {self.gpu}"


class TurnMigModeOn(PlanStep, frozen=True, tag="turnMigModeOn"):
    """Turned off again when nothing is cut out of the GPU any more, where that takes no reset."""

    gpu: str

    @property
    def what(self) -> str:
        return f"turn MIG mode of {self.gpu} on"


class CreateGpuInstance(PlanStep, frozen=True, tag="createGpuInstance"):
    gpu: str
    profile_id: int
    start: int

    @property
    def what(self) -> str:
        return (
            f"create a GPU instance of profile {self.profile_id} at memory slice {self.start} of {self.gpu}"
        )


class CreateComputeInstance(PlanStep, frozen=True, tag="createComputeInstance"):
    """All of the GPU instance in one: the only division that Kubernetes is offered."""

    gpu: str
    profile_id: int
    start: int

    @property
    def what(self) -> str:
        return (
            f"create the compute instance in the GPU instance of profile {self.profile_id}"
            f" at memory slice {self.start} of {self.gpu}"
        )
