"""Searching one node: first fit, backtracking, all devices, alternatives."""

from __future__ import annotations

import msgspec

from slicewire.allocator.core.search import Fault, allocate
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.common.model import (
    DeviceConstraint,
    DeviceTaint,
    DeviceToleration,
    ResourceClaim,
    Unsatisfiable,
)
from slicewire.common.model.wire import encode
from tests.builders import (
    CLASS,
    NODE,
    a_claim,
    a_class,
    a_counter_set,
    a_gpu,
    a_pool,
    a_slice,
    a_snapshot,
    devices_of,
    everything,
    exactly,
    first_of,
)

LARGE = 'device.capacity["gpu.nvidia.com"].memory.compareTo(quantity("80Gi")) >= 0'
NUMA = "gpu.nvidia.com/numa"


def given(snapshot: Snapshot, *claims: ResourceClaim) -> list[str]:
    answer = allocate(claims, snapshot, NODE)
    assert isinstance(answer, tuple), answer
    return devices_of(answer)


def refused(snapshot: Snapshot, *claims: ResourceClaim) -> Unsatisfiable:
    answer = allocate(claims, snapshot, NODE)
    assert isinstance(answer, Unsatisfiable), answer
    return answer


def test_the_first_devices_that_are_free_are_given_in_their_order() -> None:
    assert given(a_snapshot(*a_pool(gpus=4), used={"other": ["gpu-1"]}), a_claim(2)) == ["gpu-0", "gpu-2"]


def test_a_claim_that_asks_for_too_much_gets_nothing_and_the_reason() -> None:
    answer = refused(a_snapshot(*a_pool(gpus=8)), a_claim(9, name="big"))

    assert answer.message == (
        "claim default/big asks for 9 devices of class gpu.nvidia.com;"
        " node-a has 8 that match, 8 of them free"
    )
    assert not answer.fatal


def test_a_claim_without_requests_gets_an_allocation_without_devices() -> None:
    claim = ResourceClaim()

    assert allocate([claim], a_snapshot(), NODE) == (allocate([claim], a_snapshot(), NODE))
    assert given(a_snapshot(), claim) == []
    assert allocate([], a_snapshot(), NODE) == ()


def test_a_request_gives_way_to_a_later_one_that_has_no_other_choice() -> None:
    snapshot = a_snapshot(a_slice([a_gpu(0, memory="80Gi"), a_gpu(1, memory="40Gi")]))

    assert given(snapshot, a_claim(any=exactly(), large=exactly(1, LARGE))) == ["gpu-1", "gpu-0"]


def test_a_claim_gives_way_to_a_later_one_that_has_no_other_choice() -> None:
    snapshot = a_snapshot(a_slice([a_gpu(0, memory="80Gi"), a_gpu(1, memory="40Gi")]))

    assert given(snapshot, a_claim(1, name="any"), a_claim(1, LARGE, name="large")) == ["gpu-1", "gpu-0"]


def test_devices_that_must_match_are_looked_for_until_enough_do() -> None:
    devices = [a_gpu(index, numa=index % 2) for index in range(4)]

    assert given(a_snapshot(a_slice(devices)), a_claim(2, match=NUMA)) == ["gpu-0", "gpu-2"]


def test_devices_that_must_differ_skip_what_is_there_already() -> None:
    devices = [a_gpu(index, numa=index // 2) for index in range(4)]

    assert given(a_snapshot(a_slice(devices)), a_claim(2, distinct=NUMA)) == ["gpu-0", "gpu-2"]


def test_a_constraint_binds_only_the_requests_that_it_names() -> None:
    devices = [a_gpu(0, numa=0), a_gpu(1, numa=1), a_gpu(2, numa=0)]
    claim = a_claim(a=exactly(), b=exactly(), free=exactly())
    constraint = DeviceConstraint(requests=("a", "b"), match_attribute=NUMA)
    bound = with_constraint(claim, constraint)

    assert given(a_snapshot(a_slice(devices)), bound) == ["gpu-0", "gpu-2", "gpu-1"]


def test_the_first_alternative_that_leads_to_a_full_solution_is_taken() -> None:
    claim = a_claim(a=first_of(many=exactly(3), few=exactly(1)), b=exactly(2))

    answer = allocate([claim], a_snapshot(*a_pool(gpus=4)), NODE)

    assert isinstance(answer, tuple)
    assert [each.request for each in answer[0].devices.results] == ["a/few", "b", "b"]


def test_an_alternative_that_makes_the_claim_too_large_is_passed_over() -> None:
    claim = a_claim(a=exactly(30), b=first_of(large=exactly(3), small=exactly(2)))

    answer = allocate([claim], a_snapshot(*a_pool(gpus=64)), NODE)

    assert isinstance(answer, tuple)
    assert {each.request for each in answer[0].devices.results} == {"a", "b/small"}


def test_admin_access_is_given_devices_that_are_in_use() -> None:
    snapshot = a_snapshot(*a_pool(gpus=2), used={"other": ["gpu-0", "gpu-1"]})

    assert given(snapshot, a_claim(look=everything(admin=True))) == ["gpu-0", "gpu-1"]
    assert refused(snapshot, a_claim(1))


def test_a_tainted_device_is_given_only_to_who_tolerates_it() -> None:
    taint = DeviceTaint(key="slicewire.dev/managed", effect="NoSchedule")
    snapshot = a_snapshot(a_slice([a_gpu(0, taints=[taint]), a_gpu(1)]))
    toleration = DeviceToleration(key="slicewire.dev/managed", operator="Exists")

    assert given(snapshot, a_claim(1)) == ["gpu-1"]
    assert given(snapshot, a_claim(gpus=exactly(tolerations=[toleration]))) == ["gpu-0"]


def test_partitions_are_given_while_their_counters_last() -> None:
    devices = a_slice([a_gpu(i, draws={"gpu-0": {"memory": "2"}}) for i in range(4)], name="a", of=2)
    snapshot = a_snapshot(devices, a_slice(sets=[a_counter_set("gpu-0", memory="5")], name="b", of=2))

    assert given(snapshot, a_claim(2)) == ["gpu-0", "gpu-1"]
    assert refused(snapshot, a_claim(3))


def test_an_invalid_pool_is_passed_over_and_told_when_nothing_else_is_left() -> None:
    invalid = a_slice([a_gpu(0), a_gpu(0)], pool="a")

    assert given(a_snapshot(invalid, a_slice([a_gpu(1)], pool="b")), a_claim(1)) == ["gpu-1"]
    answer = allocate([a_claim(1)], a_snapshot(invalid), NODE)
    assert answer == Fault(
        "invalid resource pools were encountered: gpu.nvidia.com/a: two devices are named gpu-0",
        node_only=True,
    )


def test_a_selector_that_fails_stops_the_attempt_only_when_its_device_is_reached() -> None:
    snapshot = a_snapshot(a_slice([a_gpu(0, model="H100"), a_gpu(1)]))
    model = 'device.attributes["gpu.nvidia.com"].model == "H100"'

    assert given(snapshot, a_claim(1, model)) == ["gpu-0"]
    assert isinstance(allocate([a_claim(2, model)], snapshot, NODE), Fault)


def test_the_same_question_has_the_same_answer_and_its_inputs_stay_as_they_were() -> None:
    slices = (*a_pool(gpus=4), a_slice([a_gpu(0)], pool="other", name="z"))
    claims = [a_claim(2, match=NUMA, name="a"), a_claim(1, name="b")]
    before = encode(slices), encode(claims)

    answers = {encode(repr(allocate(claims, a_snapshot(*slices), NODE))) for _ in range(3)}

    assert len(answers) == 1
    assert (encode(slices), encode(claims)) == before


def test_classes_are_looked_up_in_the_snapshot() -> None:
    snapshot = a_snapshot(*a_pool(gpus=1), classes=[a_class(CLASS, "false")])

    assert (
        "none of which match: class gpu.nvidia.com: selector #0: false is false"
        in refused(snapshot, a_claim(1)).message
    )


def with_constraint(claim: ResourceClaim, constraint: DeviceConstraint) -> ResourceClaim:
    devices = msgspec.structs.replace(claim.spec.devices, constraints=(constraint,))
    return msgspec.structs.replace(claim, spec=msgspec.structs.replace(claim.spec, devices=devices))
