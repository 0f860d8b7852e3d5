"""The node that comes nearest, and what stands between it and the claim."""

from __future__ import annotations

from slicewire.allocator.core.nearest import nearest_miss
from slicewire.common.model import DeviceTaint, NodeName
from tests.builders import DRIVER, NODE, a_claim, a_gpu, a_holding, a_pool, a_slice, a_snapshot, exactly

OTHER = NodeName("node-b")
TAINT = DeviceTaint(key="gpu.nvidia.com/xid", value="79", effect="NoSchedule")
MODEL = f'device.attributes["{DRIVER}"].model'


def test_the_nearest_node_says_how_many_it_has_and_what_is_with_the_next() -> None:
    small = a_slice([a_gpu(0)])
    large = a_slice([a_gpu(0), a_gpu(1, taints=[TAINT]), a_gpu(2)], node=OTHER)

    assert nearest_miss([a_claim(3)], a_snapshot(small, large), [NODE, OTHER]) == (
        "node-b comes nearest with 2 of 3 devices; next would be gpu-1, but:"
        " taint gpu.nvidia.com/xid=79:NoSchedule is not tolerated"
    )


def test_next_is_the_device_that_passed_the_most_rules() -> None:
    pool = a_slice([a_gpu(0, model="T4"), a_gpu(1, model="H100")])
    snapshot = a_snapshot(pool).with_holdings(NODE, DRIVER, (a_holding("other", pool, "gpu-1"),))

    assert nearest_miss([a_claim(1, f'{MODEL} == "H100"')], snapshot, [NODE]) == (
        "node-a comes nearest with 0 of 1 device; next would be gpu-1, but: in use by claim default/other"
    )


def test_a_node_that_has_no_more_devices_just_has_too_few() -> None:
    assert nearest_miss([a_claim(3)], a_snapshot(*a_pool(gpus=2)), [NODE]) == (
        "node-a comes nearest with 2 of 3 devices"
    )


def test_a_pool_that_cannot_be_used_stands_in_the_way_itself() -> None:
    assert nearest_miss([a_claim(1)], a_snapshot(a_slice([a_gpu(0)], of=2)), [NODE]) == (
        "node-a comes nearest with 0 of 1 device;"
        " pool gpu.nvidia.com/node-a is incomplete: 1 of 2 slices of generation 1 are published"
    )


def test_without_a_node_or_for_a_claim_that_is_wrong_there_is_none() -> None:
    snapshot = a_snapshot(*a_pool(gpus=2))

    assert nearest_miss([a_claim(1)], snapshot, []) == ""
    assert nearest_miss([a_claim(gpus=exactly(1, of="unknown"))], snapshot, [NODE]) == ""
