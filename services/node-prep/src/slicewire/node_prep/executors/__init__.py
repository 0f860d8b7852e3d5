"""The table of executors: for every kind of step, what makes it true and takes it back."""

from __future__ import annotations

from pathlib import Path

from slicewire.common.nvml.port import NvmlControl
from slicewire.node_prep.core.steps import (
    BindToVfio,
    CreateComputeInstance,
    CreateGpuInstance,
    FindGpu,
    FindIommuGroup,
    FindPartition,
    MakeMpsDirectories,
    SetExclusiveMode,
    SetTimeSlice,
    StartMps,
    TakeFromDriver,
    TurnMigModeOff,
    TurnMigModeOn,
    TurnPersistenceOff,
    WriteCdiFile,
    WriteMetadata,
)
from slicewire.node_prep.driverroot import DriverRoot
from slicewire.node_prep.executors.cdi import WritesCdiFiles
from slicewire.node_prep.executors.gpu import FindGpus, SetsTimeSlices, TurnsMigModeOff
from slicewire.node_prep.executors.gpus import Gpus
from slicewire.node_prep.executors.handover import Handover, Patience
from slicewire.node_prep.executors.metadata import WritesMetadata
from slicewire.node_prep.executors.mig import (
    CreatesComputeInstances,
    CreatesGpuInstances,
    FindsPartitions,
    TurnsMigModeOn,
)
from slicewire.node_prep.executors.mps import MakesMpsDirectories, MpsHere, SetsExclusiveMode, StartsMps
from slicewire.node_prep.executors.port import Executor, Executors
from slicewire.node_prep.executors.vfio import (
    BindsToVfio,
    FindsIommuGroups,
    TakesFromDriver,
    TurnsPersistenceOff,
)
from slicewire.node_prep.kernelmodules import loader
from slicewire.node_prep.metadatafiles import MetadataFiles
from slicewire.node_prep.pcibus import PciBus

_PATIENCE = Patience()
_NO_MPS = MpsHere(refused_because="this node offers no MPS")


def executors(
    nvml: NvmlControl,
    driver: DriverRoot,
    cdi_root: Path,
    mps: MpsHere = _NO_MPS,
    vfio: Handover | None = None,
    metadata: MetadataFiles | None = None,
) -> Executors:
    gpus = Gpus(nvml)
    handover = vfio or handover_of(nvml)
    return {
        FindGpu: FindGpus(gpus),
        TurnMigModeOff: TurnsMigModeOff(gpus),
        SetTimeSlice: SetsTimeSlices(gpus),
        FindPartition: FindsPartitions(gpus),
        TurnMigModeOn: TurnsMigModeOn(gpus),
        CreateGpuInstance: CreatesGpuInstances(gpus),
        CreateComputeInstance: CreatesComputeInstances(gpus),
        MakeMpsDirectories: MakesMpsDirectories(mps),
        SetExclusiveMode: SetsExclusiveMode(gpus),
        StartMps: StartsMps(gpus, driver, mps),
        FindIommuGroup: FindsIommuGroups(handover),
        TurnPersistenceOff: TurnsPersistenceOff(handover),
        TakeFromDriver: TakesFromDriver(handover),
        BindToVfio: BindsToVfio(handover),
        **({} if metadata is None else {WriteMetadata: WritesMetadata(metadata)}),
        WriteCdiFile: WritesCdiFiles(driver, cdi_root, mps.root),
    }


def handover_of(nvml: NvmlControl, host_root: Path = Path("/"), patience: Patience = _PATIENCE) -> Handover:
    """`host_root` is the host's root as we have it."""
    return Handover(nvml, PciBus(nvml.sysfs_root), loader(host_root), patience)


__all__ = ["Executor", "Executors", "Handover", "MpsHere", "Patience", "executors", "handover_of"]
