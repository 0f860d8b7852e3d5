"""Which steps make which device usable, and what is refused because it cannot be done."""

from __future__ import annotations

import pytest

from slicewire.common.model import Device, DeviceAllocationConfiguration, Quantity
from slicewire.node_prep.core.config import Interval
from slicewire.node_prep.core.hardware import Share
from slicewire.node_prep.core.plan import PreparePlan, plan
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
from tests.unit.node_prep.builders import (
    a_config,
    a_device,
    a_gpu,
    a_node,
    a_partition,
    a_result,
    an_allocation,
    uuid_of,
)

GPU = uuid_of(0)
PART = "gpu-0-mig-1g10gb-19-3"
WHOLE = TurnMigModeOff(gpu=GPU)
MADE = (
    TurnMigModeOn(gpu=GPU),
    CreateGpuInstance(gpu=GPU, profile_id=19, start=3),
    CreateComputeInstance(gpu=GPU, profile_id=19, start=3),
)


def outcome(
    device: Device, *config: DeviceAllocationConfiguration, admin_access: bool = False
) -> PreparePlan | PrepareRefusal:
    result = a_result(device.name, admin_access=admin_access)
    return plan(an_allocation(result, config=config), a_node(device), ())


def steps(
    device: Device, *config: DeviceAllocationConfiguration, admin_access: bool = False
) -> tuple[Step, ...]:
    """All but the CDI file, which every plan ends with."""
    made = outcome(device, *config, admin_access=admin_access)
    assert isinstance(made, PreparePlan), made
    return made.steps[:-1]


def reason(device: Device, *config: DeviceAllocationConfiguration) -> PrepareRefusal:
    refused = outcome(device, *config)
    assert isinstance(refused, PrepareRefusal), refused
    return refused


def sliced(**given: object) -> DeviceAllocationConfiguration:
    return a_config(sharing={"strategy": "TimeSlicing", **given})


def test_a_gpu_for_one_claim_alone_must_only_be_in_one_piece() -> None:
    assert steps(a_gpu(0)) == (WHOLE,)


def test_time_slicing_without_an_interval_sets_the_default_one() -> None:
    assert steps(a_gpu(0), sliced()) == (WHOLE, SetTimeSlice(gpu=GPU, interval=Interval.DEFAULT))


@pytest.mark.parametrize("interval", Interval)
def test_time_slicing_sets_the_interval_that_is_asked_for(interval: Interval) -> None:
    config = sliced(timeSlicingConfig={"interval": interval.value})
    assert steps(a_gpu(0), config) == (WHOLE, SetTimeSlice(gpu=GPU, interval=interval))


def test_a_partition_that_does_not_exist_is_made() -> None:
    assert steps(a_partition(PART)) == MADE


def test_a_partition_that_exists_is_only_looked_for() -> None:
    assert steps(a_partition(PART, uuid="MIG-1")) == (
        FindPartition(gpu=GPU, profile_id=19, start=3, uuid="MIG-1"),
    )


def test_time_slicing_is_accepted_for_partitions_and_has_no_effect() -> None:
    assert steps(a_partition(PART), a_config("MigDeviceConfig", sharing={"strategy": "TimeSlicing"})) == MADE


def test_administrative_access_changes_nothing_for_those_who_have_the_device() -> None:
    config = sliced(timeSlicingConfig={"interval": "Long"})
    assert steps(a_gpu(0), config, admin_access=True) == (FindGpu(gpu=GPU),)
    assert steps(a_partition(PART), admin_access=True) == (FindPartition(gpu=GPU, profile_id=19, start=3),)


def test_the_memory_that_a_share_was_granted_is_in_the_plan() -> None:
    result = a_result(share_id="one", consumed_capacity={"memory": Quantity("10Gi")})
    made = plan(an_allocation(result), a_node(a_gpu(0)), ())
    assert isinstance(made, PreparePlan)
    assert made.devices[0].share == Share(id="one", memory=Quantity("10Gi"))


def test_a_device_of_an_unknown_type_is_refused() -> None:
    assert reason(a_device("gpu-0", type="dpu")) == PrepareRefusal(
        Why.UNSUPPORTED, 'device gpu-0 is of type "dpu"; known are gpu, mig, vfio'
    )


def test_a_device_that_does_not_say_which_gpu_it_is_of_is_refused() -> None:
    assert reason(a_device("gpu-0", type="gpu")).reason == (
        "device gpu-0 is published without its attribute uuid"
    )
    assert reason(a_device(PART, type="mig")).reason == (
        f"device {PART} is published without its attribute parentUUID"
    )


def test_a_partition_whose_name_does_not_say_where_it_is_is_refused() -> None:
    assert reason(a_partition("gpu-0-part")).reason == (
        "device gpu-0-part: the name of a partition is gpu-<number>-mig-<profile>-<id>-<start>"
    )
