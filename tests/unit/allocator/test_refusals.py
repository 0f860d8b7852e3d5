"""Explanations: the first rule that refused each device, alike ones together, and one true sentence."""

from __future__ import annotations

import pytest

from slicewire.allocator.core.search import allocate
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.common.model import (
    LISTED_DEVICES,
    Device,
    DeviceTaint,
    ExactDeviceRequest,
    Quantity,
    Refusal,
    ResourceClaim,
    Rule,
    Unsatisfiable,
)
from tests.builders import (
    DRIVER,
    NODE,
    a_claim,
    a_counter_set,
    a_gpu,
    a_holding,
    a_pool,
    a_shared_gpu,
    a_slice,
    a_snapshot,
    exactly,
    first_of,
)

LINK = "gpu.nvidia.com/link"
MODEL = 'device.attributes["gpu.nvidia.com"].model'


def refused(snapshot: Snapshot, *claims: ResourceClaim) -> Unsatisfiable:
    answer = allocate(claims, snapshot, NODE)
    assert isinstance(answer, Unsatisfiable), answer
    return answer


def told(refusal: Refusal) -> tuple[Rule, str, int]:
    return refusal.rule, refusal.message, refusal.count


def test_devices_that_are_refused_alike_are_told_together() -> None:
    pool = a_slice([a_gpu(index, model="H100" if index < 2 else "A100") for index in range(4)])
    snapshot = a_snapshot(pool, used={"other": ["gpu-0", "gpu-1"]})

    answer = refused(snapshot, a_claim(1, f'{MODEL} == "H100"'))

    assert [told(each) for each in answer.refusals] == [
        (Rule.REQUEST_SELECTOR, f'claim default/train: selector #0: {MODEL} == "H100" is false', 2),
        (Rule.IN_USE, "in use by claim default/other", 2),
    ]
    assert [str(device) for device in answer.refusals[1].devices] == [
        "gpu.nvidia.com/node-a/gpu-0",
        "gpu.nvidia.com/node-a/gpu-1",
    ]
    assert {(each.request, each.node) for each in answer.refusals} == {("gpus", NODE)}
    assert answer.message == (
        "claim default/train asks for 1 device of class gpu.nvidia.com; node-a has 2 that match,"
        " none of them free: in use by claim default/other"
    )


@pytest.mark.parametrize(
    ("device", "asked", "refusal"),
    [
        (
            a_gpu(0, taints=[DeviceTaint(key="health", value="broken", effect="NoSchedule")]),
            exactly(),
            (Rule.TAINT, "taint health=broken:NoSchedule is not tolerated", 1),
        ),
        (
            a_gpu(0, memory="10Gi"),
            exactly(capacity={"memory": "12Gi"}),
            (Rule.CAPACITY, "capacity memory is short by 2Gi", 1),
        ),
        (
            a_gpu(0),
            exactly(capacity={"cores": "1"}),
            (Rule.CAPACITY, "has no capacity cores", 1),
        ),
    ],
)
def test_each_rule_has_its_words(
    device: Device, asked: ExactDeviceRequest, refusal: tuple[Rule, str, int]
) -> None:
    answer = refused(a_snapshot(a_slice([device])), a_claim(gpus=asked))

    assert [told(each) for each in answer.refusals] == [refusal]


def test_counters_that_are_used_up_are_named_with_what_is_missing() -> None:
    devices = a_slice([a_gpu(i, draws={"gpu-0": {"memory": "3"}}) for i in range(2)], name="a", of=2)
    sets = a_slice(sets=[a_counter_set("gpu-0", memory="5")], name="b", of=2)

    answer = refused(a_snapshot(devices, sets, used={"other": ["gpu-0"]}), a_claim(1))

    assert (Rule.COUNTER, "counter gpu-0/memory is short by 1", 1) in map(told, answer.refusals)


def test_a_share_that_is_too_large_says_by_how_much() -> None:
    pool = a_slice([a_shared_gpu(0, memory="80Gi")])
    held = a_holding("other", pool, "gpu-0", share_id="x", consumed_capacity={"memory": Quantity("60Gi")})
    snapshot = a_snapshot(pool).with_holdings(NODE, DRIVER, (held,))

    answer = refused(snapshot, a_claim(gpus=exactly(capacity={"memory": "30Gi"})))

    assert [told(each) for each in answer.refusals] == [
        (Rule.CAPACITY, "capacity memory is short by 10Gi", 1)
    ]


def test_a_pool_that_cannot_be_used_says_why() -> None:
    answer = refused(a_snapshot(a_slice([a_gpu(0)], of=2)), a_claim(1))

    words = "pool gpu.nvidia.com/node-a is incomplete: 1 of 2 slices of generation 1 are published"
    assert [told(each) for each in answer.refusals] == [(Rule.POOL, words, 0)]
    assert answer.message.endswith(f"node-a has no devices: {words}")


def test_a_constraint_that_keeps_free_devices_apart_is_named() -> None:
    devices = [a_gpu(index, link="aab"[index]) for index in range(3)]

    answer = refused(a_snapshot(a_slice(devices)), a_claim(3, match=LINK))

    assert answer.message == (
        "claim default/train asks for 3 devices of class gpu.nvidia.com; node-a has 3 that match,"
        f" 3 of them free, but only 2 that go together: {LINK} differs from that of the others"
    )
    assert [told(each) for each in answer.refusals] == [
        (Rule.CONSTRAINT, f"{LINK} differs from that of the others", 1)
    ]


def test_a_request_that_fits_alone_but_not_beside_the_others_says_who_has_the_device() -> None:
    only_first = exactly(1, 'device.attributes["gpu.nvidia.com"].index == 0')

    answer = refused(a_snapshot(*a_pool(gpus=2)), a_claim(a=only_first, b=only_first))

    assert answer.message.startswith("claim default/train, request b asks for 1 device")
    assert answer.message.endswith("none of them free: in use by claim default/train, request a")


def test_of_several_alternatives_the_nearest_is_in_the_sentence_and_all_are_explained() -> None:
    claim = a_claim(gpus=first_of(many=exactly(8), few=exactly(3)))

    answer = refused(a_snapshot(*a_pool(gpus=2)), claim)

    assert answer.message.startswith("claim default/train, request gpus/few asks for 3 devices")
    assert {each.request for each in answer.refusals} == {"gpus/many", "gpus/few"}


def test_several_claims_are_told_apart() -> None:
    answer = refused(a_snapshot(*a_pool(gpus=2)), a_claim(1, name="a"), a_claim(2, name="b"))

    assert answer.message.startswith("claim default/b asks for 2 devices")
    assert {each.request for each in answer.refusals} == {"default/b: gpus"}


def test_many_different_reasons_of_one_kind_become_one_group() -> None:
    pool = a_slice([a_gpu(index) for index in range(20)])
    used = {f"claim-{index}": [f"gpu-{index}"] for index in range(20)}

    (refusal,) = refused(a_snapshot(pool, used=used), a_claim(1)).refusals

    assert told(refusal) == (Rule.IN_USE, "in use by claim default/claim-0, and 19 more like it", 20)
    assert len(refusal.devices) == LISTED_DEVICES


def test_a_device_that_would_not_match_is_not_told_as_in_use() -> None:
    pool = a_slice([a_gpu(0, model="A100")])

    answer = refused(a_snapshot(pool, used={"other": ["gpu-0"]}), a_claim(1, f'{MODEL} == "H100"'))

    assert [each.rule for each in answer.refusals] == [Rule.REQUEST_SELECTOR]


def test_the_explanation_is_the_same_every_time() -> None:
    snapshot = a_snapshot(*a_pool(gpus=3), used={"other": ["gpu-1"]})

    assert refused(snapshot, a_claim(3)) == refused(snapshot, a_claim(3))
