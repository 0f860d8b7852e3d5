"""Placing on a fleet: the first node that has the devices, or the reasons of all."""

from __future__ import annotations

from slicewire.allocator.core.fleet import Placement, place
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.common.model import NodeName, ResourceClaim, Rule, Unsatisfiable
from tests.builders import DRIVER, a_claim, a_gpu, a_pool, a_slice, a_snapshot, devices_of, exactly


def a_fleet(**gpus: int) -> Snapshot:
    return a_snapshot(*(pool for node, count in gpus.items() for pool in a_pool(gpus=count, node=node)))


def placed(snapshot: Snapshot, *claims: ResourceClaim) -> Placement:
    answer = place(claims, snapshot, snapshot.nodes)
    assert isinstance(answer, Placement), answer
    return answer


def refused(snapshot: Snapshot, *claims: ResourceClaim) -> Unsatisfiable:
    answer = place(claims, snapshot, snapshot.nodes)
    assert isinstance(answer, Unsatisfiable), answer
    return answer


def test_the_first_node_in_the_given_order_that_fits_is_taken() -> None:
    snapshot = a_fleet(a=2, b=4, c=8)

    assert placed(snapshot, a_claim(3)).node == "b"
    answer = place([a_claim(3)], snapshot, [NodeName("c"), NodeName("b")])
    assert isinstance(answer, Placement)
    assert answer.node == "c"


def test_claims_that_go_together_go_on_one_node() -> None:
    placement = placed(a_fleet(a=3, b=4), a_claim(2, name="x"), a_claim(2, name="y"))

    assert placement.node == "b"
    assert devices_of(placement.results) == ["gpu-0", "gpu-1", "gpu-2", "gpu-3"]
    assert len(placement.results) == 2


def test_a_claim_that_is_wrong_in_itself_is_refused_for_good() -> None:
    answer = refused(a_fleet(a=2), a_claim(gpus=exactly(of="unknown")))

    assert answer.fatal
    assert "could not retrieve device class unknown" in answer.message


def test_a_node_with_an_invalid_pool_does_not_stop_the_others() -> None:
    broken = a_slice([a_gpu(0), a_gpu(0)], node="a")
    snapshot = a_snapshot(broken, *a_pool(gpus=1, node="b"))

    assert placed(snapshot, a_claim(1)).node == "b"
    answer = refused(snapshot, a_claim(2))
    assert Rule.INVALID in {each.rule for each in answer.refusals}
    assert not answer.fatal


def test_a_selector_that_fails_on_a_device_waits_for_that_device_to_change() -> None:
    answer = refused(a_fleet(a=1), a_claim(1, 'device.attributes["gpu.nvidia.com"].missing == 1'))

    assert not answer.fatal
    assert "on device gpu.nvidia.com/a/gpu-0: CEL runtime error" in answer.message


def test_a_fleet_without_nodes_says_so() -> None:
    assert refused(a_snapshot(), a_claim(1)).message == (
        "claim default/train cannot be placed: there are no nodes to choose from"
    )


def test_enough_gpus_on_too_many_nodes_are_not_enough() -> None:
    answer = refused(a_fleet(a=6, b=5, c=5), a_claim(8))

    assert answer.message == (
        "claim default/train asks for 8 devices of class gpu.nvidia.com;"
        " 16 are free on 3 nodes, but none has 8; the best, a, has 6"
    )


def test_a_full_fleet_says_that_nothing_is_free() -> None:
    snapshot = a_fleet(a=1, b=1)
    for node in snapshot.nodes:
        held = a_snapshot(*a_pool(gpus=1, node=node), used={"other": ["gpu-0"]}).holdings(node, DRIVER)
        snapshot = snapshot.with_holdings(node, DRIVER, held)

    answer = refused(snapshot, a_claim(1))

    assert answer.message.endswith("2 match on 2 nodes, none of them free")
    assert [(each.rule, each.count, each.node) for each in answer.refusals] == [(Rule.IN_USE, 2, "")]


def test_once_the_steps_are_spent_no_further_node_is_searched() -> None:
    snapshot = a_fleet(a=2, b=2)

    answer = place([a_claim(2)], snapshot, snapshot.nodes, steps=3)

    assert isinstance(answer, Unsatisfiable)

    messages = {(each.node, each.message) for each in answer.refusals}
    assert ("a", "gave up after 3 steps on this node") in messages
    assert ("b", "not searched: the other nodes took all the steps that one question may") in messages
    assert not answer.fatal
