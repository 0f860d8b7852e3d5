"""The ways in which devices are prepared: which steps, in which order, for which device so configured."""

from __future__ import annotations

from typing import assert_never

from slicewire.node_prep.core.config import (
    DeviceConfig,
    GpuConfig,
    GpuSharing,
    Interval,
    TimeSlicingConfig,
)
from slicewire.node_prep.core.hardware import FullGpu, Partition, PlannedDevice, VfioFunction
from slicewire.node_prep.core.refusal import PrepareRefusal
from slicewire.node_prep.core.steps import (
    BindToVfio,
    CreateComputeInstance,
    CreateGpuInstance,
    FindGpu,
    FindIommuGroup,
    FindPartition,
    SetTimeSlice,
    Step,
    TakeFromDriver,
    TurnMigModeOff,
    TurnMigModeOn,
    TurnPersistenceOff,
)


def steps(planned: PlannedDevice) -> tuple[Step, ...] | PrepareRefusal:
    """All but the MPS control daemons and the CDI file, which the devices of a claim have together."""
    if planned.admin_access:
        return _to_look_at(planned)
    match planned.hardware:
        case FullGpu(uuid):
            return (TurnMigModeOff(gpu=uuid), *_time_slice(uuid, planned.config))
        case Partition(gpu, profile_id, start, ""):
            return (
                TurnMigModeOn(gpu=gpu),
                CreateGpuInstance(gpu=gpu, profile_id=profile_id, start=start),
                CreateComputeInstance(gpu=gpu, profile_id=profile_id, start=start),
            )
        case Partition():
            return _to_look_at(planned)
        case VfioFunction(place):
            return (
                FindIommuGroup(pci_bus_id=place),
                TurnPersistenceOff(pci_bus_id=place),
                TakeFromDriver(pci_bus_id=place),
                BindToVfio(pci_bus_id=place),
            )
        case never:
            assert_never(never)


def _to_look_at(planned: PlannedDevice) -> tuple[Step, ...]:
    """Who has administrative access changes nothing for those who have the device."""
    match planned.hardware:
        case FullGpu(uuid):
            return (FindGpu(gpu=uuid),)
        case Partition(gpu, profile_id, start, uuid):
            return (FindPartition(gpu=gpu, profile_id=profile_id, start=start, uuid=uuid),)
        case VfioFunction(place):
            return (FindIommuGroup(pci_bus_id=place),)
        case never:
            assert_never(never)


def _time_slice(gpu: str, config: DeviceConfig) -> tuple[Step, ...]:
    match config:
        case GpuConfig(GpuSharing(time_slicing_config=TimeSlicingConfig(interval))) if interval is not None:
            return (SetTimeSlice(gpu=gpu, interval=Interval(interval)),)
        case _:
            return ()
