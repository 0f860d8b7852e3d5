"""The ways in which devices are prepared: which steps, in which order, for which device so configured."""

from __future__ import annotations

from typing import assert_never

from slicewire.node_prep.core.config import (
    DeviceConfig,
    GpuConfig,
    GpuSharing,
    Interval,
    MigDeviceConfig,
    Strategy,
    TimeSlicingConfig,
    VfioDeviceConfig,
)
from slicewire.node_prep.core.hardware import FullGpu, Partition, PlannedDevice
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from slicewire.node_prep.core.steps import (
    CreateComputeInstance,
    CreateGpuInstance,
    FindGpu,
    FindPartition,
    SetTimeSlice,
    Step,
    TurnMigModeOff,
    TurnMigModeOn,
)


def steps(planned: PlannedDevice) -> tuple[Step, ...] | PrepareRefusal:
    """All but the CDI file, which the devices of a claim have together."""
    if planned.admin_access:
        return _to_look_at(planned)
    if _strategy(planned.config) == Strategy.MPS:
        return PrepareRefusal(
            Why.UNSUPPORTED,
            f"device {planned.device}: sharing.strategy MPS cannot be applied yet:"
            " leave out sharing to have the device alone",
        )
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
        case never:
            assert_never(never)


def _to_look_at(planned: PlannedDevice) -> tuple[Step, ...]:
    """Who has administrative access changes nothing for those who have the device."""
    match planned.hardware:
        case FullGpu(uuid):
            return (FindGpu(gpu=uuid),)
        case Partition(gpu, profile_id, start, uuid):
            return (FindPartition(gpu=gpu, profile_id=profile_id, start=start, uuid=uuid),)
        case never:
            assert_never(never)


def _time_slice(gpu: str, config: DeviceConfig) -> tuple[Step, ...]:
    match config:
        case GpuConfig(GpuSharing(time_slicing_config=TimeSlicingConfig(interval))) if interval is not None:
            return (SetTimeSlice(gpu=gpu, interval=Interval(interval)),)
        case _:
            return ()


def _strategy(config: DeviceConfig) -> str:
    match config:
        case GpuConfig(sharing) | MigDeviceConfig(sharing):
            return "" if sharing is None else sharing.strategy
        case VfioDeviceConfig():
            return ""
        case never:
            assert_never(never)
