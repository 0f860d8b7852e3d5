"""From an allocation to a plan, and every reason why there is none."""

from __future__ import annotations

import pytest

from slicewire.common.model import DeviceName, DriverName, PoolName
from slicewire.node_prep.core.hardware import FullGpu, PlannedDevice
from slicewire.node_prep.core.plan import PreparePlan, gpus_of, plan, wrong_claim
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from slicewire.node_prep.core.steps import TurnMigModeOff, WriteCdiFile
from tests.unit.node_prep.builders import (
    DRIVER,
    POOL,
    a_claim,
    a_config,
    a_device,
    a_gpu,
    a_holding,
    a_node,
    a_partition,
    a_plan,
    a_result,
    an_allocation,
    uuid_of,
)

OTHER = a_claim("claim-2")


def refusal(outcome: PreparePlan | PrepareRefusal) -> PrepareRefusal:
    assert isinstance(outcome, PrepareRefusal)
    return outcome


def test_a_whole_gpu_is_planned_by_its_uuid_and_written_down_last() -> None:
    assert plan(an_allocation("gpu-1"), a_node(), ()) == PreparePlan(
        claim=a_claim(),
        devices=(
            PlannedDevice(
                device=DeviceName("gpu-1"),
                pool=POOL,
                request_names=("gpu",),
                hardware=FullGpu(uuid=uuid_of(1)),
            ),
        ),
        steps=(TurnMigModeOff(gpu=uuid_of(1)), WriteCdiFile(claim="claim-1")),
    )


def test_the_request_is_named_without_the_alternative_that_was_chosen() -> None:
    made = plan(an_allocation(a_result(request="gpu/large")), a_node(), ())
    assert isinstance(made, PreparePlan)
    assert made.devices[0].request_names == ("gpu",)


def test_a_device_that_serves_two_requests_is_planned_once_for_both() -> None:
    twice = an_allocation(
        a_result(request="work", admin_access=True), a_result(request="watch", admin_access=True)
    )
    made = plan(twice, a_node(), ())
    assert isinstance(made, PreparePlan)
    assert [(one.device, one.request_names) for one in made.devices] == [("gpu-0", ("work", "watch"))]


def test_devices_of_other_drivers_are_left_to_them() -> None:
    mixed = an_allocation(a_result("nic-0", driver=DriverName("nic.example.com")), "gpu-0")
    made = plan(mixed, a_node(), ())
    assert isinstance(made, PreparePlan)
    assert made.device_names == ("gpu-0",)


def test_a_claim_without_a_device_of_this_driver_is_refused() -> None:
    only_others = an_allocation(a_result("nic-0", driver=DriverName("nic.example.com")))
    assert refusal(plan(only_others, a_node(), ())) == PrepareRefusal(
        Why.UNKNOWN_CLAIM,
        "claim default/named-claim-1 (claim-1) holds no device of gpu.nvidia.com on node node-a",
    )


def test_a_device_of_another_pool_is_refused() -> None:
    elsewhere = an_allocation(a_result(pool=PoolName("node-b")))
    assert refusal(plan(elsewhere, a_node(), ())) == PrepareRefusal(
        Why.OTHER_NODE, "device gpu.nvidia.com/node-b/gpu-0 is not in pool node-a of node node-a"
    )


def test_nothing_is_planned_before_the_inventory_was_heard() -> None:
    assert refusal(plan(an_allocation(), a_node(pool=None), ())).why is Why.BUSY


def test_a_device_that_is_not_in_the_inventory_is_refused_with_what_could_not_be_read() -> None:
    node = a_node(unreadable={"GPU with NVML index 7": "Unknown Error"})
    assert refusal(plan(an_allocation("gpu-7"), node, ())) == PrepareRefusal(
        Why.UNKNOWN_DEVICE,
        "device gpu.nvidia.com/node-a/gpu-7 is not in the inventory of node node-a;"
        " GPU with NVML index 7 cannot be read: Unknown Error",
    )


def test_a_device_that_cannot_be_read_is_refused_with_the_reason() -> None:
    node = a_node(unreadable={"gpu-0": "GPU is lost"})
    assert refusal(plan(an_allocation(), node, ())) == PrepareRefusal(
        Why.UNREADABLE_DEVICE, "device gpu.nvidia.com/node-a/gpu-0 cannot be read: GPU is lost"
    )


def test_of_two_claims_in_conflict_only_the_first_is_planned() -> None:
    node = a_node(rivals={DeviceName("gpu-0"): (OTHER, a_claim())})
    assert refusal(plan(an_allocation(), node, ())) == PrepareRefusal(
        Why.CONFLICT,
        "device gpu-0 is also allocated to claim default/named-claim-2 (claim-2), which had it first",
    )
    assert isinstance(plan(an_allocation(claim=OTHER), node, ()), PreparePlan)


def test_a_mistake_in_a_configuration_names_the_device_the_field_and_the_value() -> None:
    wrong = an_allocation(config=(a_config(sharing={"strategy": "Timeslicing"}),))
    assert refusal(plan(wrong, a_node(), ())) == PrepareRefusal(
        Why.CONFIG,
        "device gpu-0: config[0].opaque.parameters.sharing.strategy:"
        " unknown GPU sharing strategy: Timeslicing, supported GPU sharing strategies: TimeSlicing, MPS",
    )


def test_the_default_configuration_is_the_whole_gpu() -> None:
    assert isinstance(plan(an_allocation(config=(a_config(),)), a_node(), ()), PreparePlan)


def test_a_configuration_of_another_kind_of_device_is_refused_where_it_names_the_request() -> None:
    wrong = an_allocation(config=(a_config("MigDeviceConfig", requests=("gpu",)),))
    assert refusal(plan(wrong, a_node(), ())) == PrepareRefusal(
        Why.CONFIG,
        'device gpu-0: cannot apply MigDeviceConfig to a device of type "gpu" (request: gpu)',
    )


@pytest.mark.parametrize(
    "uid", ["", "../../etc/cron.d/x", "a/b", "-a", "a-", "x" * 129, "a b", "a_b", "a..b", "a.", "ä"]
)
def test_what_could_leave_its_directory_or_break_a_name_is_no_claim_uid(uid: str) -> None:
    wrong = wrong_claim(a_claim(uid, name="train"))
    assert wrong is not None
    assert wrong.why is Why.WRONG_CLAIM
    assert f"claim default/train: {uid!r} cannot be a claim UID" in wrong.reason


@pytest.mark.parametrize("uid", ["6f570f14-3fb1-4637-b575-002163fbb70f", "a", "a.b", "a--b", "x" * 128])
def test_what_can_be_a_name_everywhere_is_a_claim_uid(uid: str) -> None:
    assert wrong_claim(a_claim(uid)) is None


def test_a_claim_uid_is_checked_before_anything_is_planned() -> None:
    assert refusal(plan(an_allocation(claim=a_claim("../x")), a_node(), ())).why is Why.WRONG_CLAIM


def test_a_plan_knows_whether_it_is_for_an_allocation() -> None:
    made = a_plan(0, 1)
    assert made.is_for(an_allocation("gpu-1", "gpu-0"), DRIVER)
    assert not made.is_for(an_allocation("gpu-0"), DRIVER)
    assert not made.is_for(an_allocation("gpu-0", a_result("gpu-1", pool=PoolName("node-b"))), DRIVER)


def test_the_same_allocation_and_node_give_the_same_plan() -> None:
    allocation = an_allocation("gpu-1", "gpu-0")
    forwards, backwards = a_node(a_gpu(0), a_gpu(1)), a_node(a_gpu(1), a_gpu(0))
    assert plan(allocation, forwards, ()) == plan(allocation, backwards, (a_holding("gpu-2"),))


def test_what_a_claim_holds_of_one_gpu_is_done_once() -> None:
    parts = ("gpu-0-mig-1g10gb-19-0", "gpu-0-mig-1g10gb-19-1")
    node = a_node(*(a_partition(name) for name in parts))
    made = plan(an_allocation(*parts), node, ())
    assert isinstance(made, PreparePlan)
    assert [step.what for step in made.steps] == [
        "turn MIG mode of GPU-00000000 on",
        "create a GPU instance of profile 19 at memory slice 0 of GPU-00000000",
        "create the compute instance in the GPU instance of profile 19 at memory slice 0 of GPU-00000000",
        "create a GPU instance of profile 19 at memory slice 1 of GPU-00000000",
        "create the compute instance in the GPU instance of profile 19 at memory slice 1 of GPU-00000000",
        "write the CDI file of claim claim-1",
    ]


def test_two_shares_of_one_device_are_two_devices_of_the_claim() -> None:
    both = an_allocation(a_result(request="a", share_id="1"), a_result(request="b", share_id="2"))
    made = plan(both, a_node(), ())
    assert isinstance(made, PreparePlan)
    assert [(one.request_names, one.share and one.share.id) for one in made.devices] == [
        (("a",), "1"),
        (("b",), "2"),
    ]
    assert made.device_names == ("gpu-0",)
    assert made.is_for(both, DRIVER)
    assert not made.is_for(an_allocation(a_result(request="a", share_id="1")), DRIVER)


def test_requests_of_a_claim_that_share_a_device_must_agree_on_how() -> None:
    sliced = a_config(requests=("a",), sharing={"strategy": "TimeSlicing"})
    both = an_allocation(
        a_result(request="a", share_id="1"), a_result(request="b", share_id="2"), config=(sliced,)
    )
    refused = refusal(plan(both, a_node(), ()))
    assert refused.why is Why.CONFLICT
    assert refused.reason.startswith("conflicting configuration: ")


def locks(device: str, place: str = "") -> tuple[str, ...]:
    own = {"resource.kubernetes.io/pciBusID": place} if place else {}
    return gpus_of(an_allocation(device), a_node(a_device(device, **own)))


def test_all_that_is_of_one_gpu_is_locked_together() -> None:
    assert locks("gpu-3") == locks("gpu-3-mig-1g10gb-19-0")
    assert locks("gpu-13") != locks("gpu-3")
    assert locks("something") == ("something",)


def test_the_place_tells_which_gpu_a_device_for_a_virtual_machine_is_of() -> None:
    """Its number is not the GPU's."""
    here = "0000:1a:00.0"
    assert set(locks("gpu-3", here)) & set(locks("gpu-vfio-0", here))
    assert not set(locks("gpu-3", here)) & set(locks("gpu-vfio-3", "0000:1b:00.0"))


def test_a_plan_holds_the_locks_that_its_allocation_asked_for() -> None:
    device = a_device("gpu-3", type="gpu", uuid=uuid_of(3))
    node, allocation = a_node(device), an_allocation("gpu-3")
    made = plan(allocation, node, ())
    assert isinstance(made, PreparePlan)
    assert made.gpus == gpus_of(allocation, node)
