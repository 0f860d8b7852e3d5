"""The table of executors: for every kind of step, what makes it true and takes it back."""

from __future__ import annotations

from pathlib import Path

from slicewire.common.nvml.port import NvmlControl
from slicewire.node_prep.core.steps import (
    CreateComputeInstance,
    CreateGpuInstance,
    FindGpu,
    FindPartition,
    SetTimeSlice,
    TurnMigModeOff,
    TurnMigModeOn,
    WriteCdiFile,
)
from slicewire.node_prep.driverroot import DriverRoot
from slicewire.node_prep.executors.cdi import WritesCdiFiles
from slicewire.node_prep.executors.gpu import FindGpus, SetsTimeSlices, TurnsMigModeOff
from slicewire.node_prep.executors.gpus import Gpus
from slicewire.node_prep.executors.mig import (
    CreatesComputeInstances,
    CreatesGpuInstances,
    FindsPartitions,
    TurnsMigModeOn,
)
from slicewire.node_prep.executors.port import Executor, Executors


def executors(nvml: NvmlControl, driver: DriverRoot, cdi_root: Path) -> Executors:
    gpus = Gpus(nvml)
    return {
        FindGpu: FindGpus(gpus),
        TurnMigModeOff: TurnsMigModeOff(gpus),
        SetTimeSlice: SetsTimeSlices(gpus),
        FindPartition: FindsPartitions(gpus),
        TurnMigModeOn: TurnsMigModeOn(gpus),
        CreateGpuInstance: CreatesGpuInstances(gpus),
        CreateComputeInstance: CreatesComputeInstances(gpus),
        WriteCdiFile: WritesCdiFiles(driver, cdi_root),
    }


__all__ = ["Executor", "Executors", "executors"]
