"""Every kind of step that a plan may have. A new one is added to `Step`, and to the table of executors."""

from slicewire.node_prep.core.steps.cdi import WriteCdiFile
from slicewire.node_prep.core.steps.gpu import FindGpu, SetTimeSlice, TurnMigModeOff
from slicewire.node_prep.core.steps.metadata import WriteMetadata
from slicewire.node_prep.core.steps.mig import (
    CreateComputeInstance,
    CreateGpuInstance,
    FindPartition,
    TurnMigModeOn,
)
from slicewire.node_prep.core.steps.mps import (
    MakeMpsDirectories,
    MpsDevice,
    SetExclusiveMode,
    StartMps,
    daemon_name,
    is_daemon_name,
)
from slicewire.node_prep.core.steps.step import Notes, PlanStep
from slicewire.node_prep.core.steps.vfio import (
    BindToVfio,
    FindIommuGroup,
    TakeFromDriver,
    TurnPersistenceOff,
)

Step = (
    FindGpu
    | TurnMigModeOff
    | SetTimeSlice
    | FindPartition
    | TurnMigModeOn
    | CreateGpuInstance
    | CreateComputeInstance
    | FindIommuGroup
    | TurnPersistenceOff
    | TakeFromDriver
    | BindToVfio
    | MakeMpsDirectories
    | SetExclusiveMode
    | StartMps
    | WriteMetadata
    | WriteCdiFile
)

__all__ = [
    "BindToVfio",
    "CreateComputeInstance",
    "CreateGpuInstance",
    "FindGpu",
    "FindIommuGroup",
    "FindPartition",
    "MakeMpsDirectories",
    "MpsDevice",
    "Notes",
    "PlanStep",
    "SetExclusiveMode",
    "SetTimeSlice",
    "StartMps",
    "Step",
    "TakeFromDriver",
    "TurnMigModeOff",
    "TurnMigModeOn",
    "TurnPersistenceOff",
    "WriteCdiFile",
    "WriteMetadata",
    "daemon_name",
    "is_daemon_name",
]
