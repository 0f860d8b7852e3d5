"""Every kind of step that a plan may have. A new one is added to `Step`, and to the table of executors."""

from slicewire.node_prep.core.steps.cdi import WriteCdiFile
from slicewire.node_prep.core.steps.gpu import FindGpu, SetTimeSlice, TurnMigModeOff
from slicewire.node_prep.core.steps.mig import (
    CreateComputeInstance,
    CreateGpuInstance,
    FindPartition,
    TurnMigModeOn,
)
from slicewire.node_prep.core.steps.step import Notes, PlanStep

Step = (
    FindGpu
    | TurnMigModeOff
    | SetTimeSlice
    | FindPartition
    | TurnMigModeOn
    | CreateGpuInstance
    | CreateComputeInstance
    | WriteCdiFile
)

__all__ = [
    "CreateComputeInstance",
    "CreateGpuInstance",
    "FindGpu",
    "FindPartition",
    "Notes",
    "PlanStep",
    "SetTimeSlice",
    "Step",
    "TurnMigModeOff",
    "TurnMigModeOn",
    "WriteCdiFile",
]
