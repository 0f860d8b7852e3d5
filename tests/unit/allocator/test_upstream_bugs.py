"""Where Kubernetes' own allocator is known to be wrong: the right answer, one test each."""

from __future__ import annotations

from slicewire.allocator.core.features import Features
from slicewire.allocator.core.search import allocate
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.common.model import (
    CapacityRequestPolicy,
    CapacityRequestPolicyRange,
    Device,
    DeviceAttribute,
    DeviceTaint,
    DriverName,
    Quantity,
    ResourceClaim,
    ResourceSlice,
    Unsatisfiable,
)
from tests.builders import (
    DRIVER,
    NODE,
    a_claim,
    a_counter_set,
    a_gpu,
    a_pool,
    a_shared_gpu,
    a_slice,
    a_snapshot,
    devices_of,
    everything,
    exactly,
)

LINK = "gpu.nvidia.com/link"
LISTS = Features(list_type_attributes=True)


def given(snapshot: Snapshot, claim: ResourceClaim, features: Features = LISTS) -> list[str]:
    answer = allocate([claim], snapshot, NODE, features)
    assert isinstance(answer, tuple), answer
    return devices_of(answer)


def with_counters(*devices: Device, slices: str, driver: str = DRIVER) -> tuple[ResourceSlice, ResourceSlice]:
    """One pool, named after the node, whose devices share one counter."""
    return (
        a_slice(devices, name="a", of=2, driver=driver),
        a_slice(sets=[a_counter_set("memory", slices=slices)], name="b", of=2, driver=driver),
    )


def drawing(index: int, slices: str, **details: object) -> Device:
    return a_gpu(index, draws={"memory": {"slices": slices}}, **details)  # type: ignore[arg-type]


def test_a_candidate_that_a_taint_refuses_gives_its_counters_back() -> None:
    taint = DeviceTaint(key="health", effect="NoSchedule")
    pool = with_counters(drawing(0, "4", taints=[taint]), drawing(1, "4"), slices="4")

    assert given(a_snapshot(*pool), a_claim(1)) == ["gpu-1"]


def test_a_candidate_that_a_constraint_refuses_gives_its_counters_back() -> None:
    pool = with_counters(
        drawing(0, "2", link="a"), drawing(1, "2", link="b"), drawing(2, "2", link="a"), slices="4"
    )

    assert given(a_snapshot(*pool), a_claim(2, match=LINK)) == ["gpu-0", "gpu-2"]


def test_two_drivers_with_pools_of_the_same_name_have_a_budget_each() -> None:
    ours = with_counters(drawing(0, "4"), drawing(1, "4"), slices="4")
    theirs = with_counters(drawing(2, "1"), drawing(3, "1"), slices="1", driver="nic.example.com")

    snapshot = a_snapshot(*ours, *theirs)

    assert given(snapshot, a_claim(2)) == ["gpu-0", "gpu-2"]
    assert isinstance(allocate([a_claim(3)], snapshot, NODE), Unsatisfiable)


def test_what_one_driver_has_given_away_is_not_missing_from_another() -> None:
    ours = with_counters(drawing(0, "4"), slices="4")
    theirs = with_counters(drawing(0, "1"), slices="1", driver="nic.example.com")

    snapshot = a_snapshot(*ours, *theirs, used={"other": ["gpu-0"]})

    answer = allocate([a_claim(1)], snapshot, NODE)
    assert isinstance(answer, tuple)
    assert answer[0].devices.results[0].driver == DriverName("nic.example.com")


def test_distinct_devices_of_one_request_all_differ() -> None:
    devices = [a_gpu(0, link="a"), a_gpu(1, link="b"), a_gpu(2, link="a"), a_gpu(3, link="c")]

    assert given(a_snapshot(a_slice(devices)), a_claim(3, distinct=LINK)) == ["gpu-0", "gpu-1", "gpu-3"]


def test_what_lists_have_in_common_is_restored_when_a_candidate_is_given_up() -> None:
    def listed(index: int, *links: str) -> Device:
        return a_gpu(index, link=DeviceAttribute(strings=links))

    devices = [listed(0, "a", "b"), listed(1, "a"), listed(2, "b"), listed(3, "b")]

    assert given(a_snapshot(a_slice(devices)), a_claim(3, match=LINK)) == ["gpu-0", "gpu-2", "gpu-3"]


def test_a_shared_device_returns_its_counters_when_the_search_turns_back() -> None:
    shared = a_shared_gpu(0, memory="10", draws={"memory": {"slices": "4"}})
    whole = drawing(1, "4")
    share = exactly(capacity={"memory": "5"})
    only_whole = exactly(1, 'device.attributes["gpu.nvidia.com"].index == 1')
    spare = a_slice([a_shared_gpu(2, memory="10")], pool="spare")

    snapshot = a_snapshot(*with_counters(shared, whole, slices="4"), spare)

    assert given(snapshot, a_claim(share=share, whole=only_whole)) == ["gpu-2", "gpu-1"]


def test_the_default_of_a_capacity_is_recognised_however_it_is_written() -> None:
    policy = CapacityRequestPolicy(
        default=Quantity("1Gi"),
        valid_range=CapacityRequestPolicyRange(min=Quantity("0"), step=Quantity("3Gi"), max=Quantity("9Gi")),
    )
    plain = CapacityRequestPolicy(default=Quantity("1024Mi"), valid_values=(Quantity("2Gi"),))
    for each in (policy, plain):
        snapshot = a_snapshot(a_slice([a_shared_gpu(0, policy=each)]))
        assert given(snapshot, a_claim(1)) == ["gpu-0"]


def test_admin_access_needs_no_counters() -> None:
    pool = with_counters(drawing(0, "4"), slices="4")

    snapshot = a_snapshot(*pool, used={"other": ["gpu-0"]})

    assert given(snapshot, a_claim(look=everything(admin=True))) == ["gpu-0"]


def test_whole_pools_are_looked_at_only_where_a_node_has_a_part_of_them() -> None:
    snapshot = a_snapshot(*a_pool(gpus=1))
    for index in range(20):
        node = f"node-{index}"
        part = a_slice([a_gpu(0)], node=node, of=2)
        snapshot = snapshot.with_slices(part.spec.node_name or NODE, DRIVER, (part,))

    assert snapshot.stock(NODE, LISTS).consulted == {}
