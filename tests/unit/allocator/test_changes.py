"""What would make it fit: the cheapest change that really does, found without touching anything."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from slicewire.allocator.core.changes import SEARCHES_LIMIT, cheapest_change
from slicewire.allocator.core.fleet import Placement, place
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.common.model import (
    Change,
    ChangeKind,
    DeviceTaint,
    DeviceToleration,
    NodeName,
    ResourceClaim,
    Unsatisfiable,
    wire,
)
from tests.builders import (
    CLASS,
    DRIVER,
    NODE,
    a_claim,
    a_class,
    a_counter_set,
    a_gpu,
    a_holding,
    a_pool,
    a_slice,
    a_snapshot,
    everything,
    exactly,
    first_of,
)

OTHER = NodeName("node-b")
XID = DeviceTaint(
    key="gpu.nvidia.com/xid", value="79", effect="NoSchedule", time_added="2026-01-01T00:00:00Z"
)
ECC = DeviceTaint(key="gpu.nvidia.com/ecc", effect="NoExecute")
MODEL = f'device.attributes["{DRIVER}"].model'
INDEX = f'device.attributes["{DRIVER}"].index'


def refused(
    snapshot: Snapshot, claims: Sequence[ResourceClaim], nodes: Sequence[NodeName] = (NODE,)
) -> Unsatisfiable:
    answer = place(claims, snapshot, nodes)
    assert isinstance(answer, Unsatisfiable), answer
    return answer


def change(
    snapshot: Snapshot, *claims: ResourceClaim, nodes: Sequence[NodeName] = (NODE,)
) -> tuple[ChangeKind, str] | None:
    found = cheapest_change(claims, snapshot, nodes, refused(snapshot, claims, nodes))
    return (found.kind, found.message) if found else None


def whole(snapshot: Snapshot, *claims: ResourceClaim, nodes: Sequence[NodeName] = (NODE,)) -> Change:
    found = cheapest_change(claims, snapshot, nodes, refused(snapshot, claims, nodes))
    assert found is not None
    return found


def names(found: Change) -> list[str]:
    return [each.device for each in found.devices]


def test_a_taint_that_stands_in_the_way_is_to_be_tolerated() -> None:
    snapshot = a_snapshot(a_slice([a_gpu(0), a_gpu(1, taints=[XID])]))

    found = whole(snapshot, a_claim(2))

    assert (found.kind, found.message) == (
        ChangeKind.TOLERATE,
        "tolerate the taint gpu.nvidia.com/xid=79:NoSchedule",
    )
    assert (found.node, names(found)) == (NODE, ["gpu-0", "gpu-1"])


def test_what_was_advised_works_when_it_is_done() -> None:
    snapshot = a_snapshot(a_slice([a_gpu(0), a_gpu(1, taints=[XID])]))
    toleration = DeviceToleration(key=XID.key, value=XID.value, effect=XID.effect)

    done = place([a_claim(gpus=exactly(2, tolerations=[toleration]))], snapshot, [NODE])

    assert isinstance(done, Placement)
    given = tuple(each.device_id for result in done.results for each in result.devices.results)
    assert given == whole(snapshot, a_claim(2)).devices


def test_a_device_with_two_taints_needs_both_tolerated_and_the_claims_own_toleration_is_kept() -> None:
    snapshot = a_snapshot(a_slice([a_gpu(0, taints=[XID, ECC])]))
    tolerant = exactly(1, tolerations=[DeviceToleration(key=ECC.key, operator="Exists")])

    both = "tolerate the taints gpu.nvidia.com/xid=79:NoSchedule and gpu.nvidia.com/ecc:NoExecute"
    assert change(snapshot, a_claim(1)) == (ChangeKind.TOLERATE, both)
    one = "tolerate the taint gpu.nvidia.com/xid=79:NoSchedule"
    assert change(snapshot, a_claim(gpus=tolerant)) == (ChangeKind.TOLERATE, one)


def test_devices_with_different_taints_that_are_all_needed_have_them_tolerated_together() -> None:
    snapshot = a_snapshot(a_slice([a_gpu(0, taints=[XID]), a_gpu(1, taints=[ECC])]))

    both = "tolerate the taints gpu.nvidia.com/xid=79:NoSchedule and gpu.nvidia.com/ecc:NoExecute"
    assert change(snapshot, a_claim(2)) == (ChangeKind.TOLERATE, both)


def test_where_there_are_several_requests_the_one_to_change_is_named_and_both_if_need_be() -> None:
    pool = a_slice([a_gpu(0), a_gpu(1, model="B", taints=[XID])])
    only_b = exactly(1, f'has({MODEL}) && {MODEL} == "B"')
    all_tainted = a_snapshot(a_slice([a_gpu(0, taints=[XID]), a_gpu(1, taints=[XID])]))
    xid = "tolerate the taint gpu.nvidia.com/xid=79:NoSchedule"

    assert change(a_snapshot(pool), a_claim(a=exactly(1, f"{INDEX} == 0"), b=only_b)) == (
        ChangeKind.TOLERATE,
        f"{xid} in request b",
    )
    assert change(all_tainted, a_claim(a=exactly(1), b=exactly(1))) == (
        ChangeKind.TOLERATE,
        f"{xid} in request a and request b",
    )


@pytest.mark.parametrize(
    ("selector", "dropped"),
    [
        (f'{MODEL} == "T4"', f'{MODEL} == "T4"'),
        (f'{INDEX} >= 0 && {MODEL} == "T4"', f'{MODEL} == "T4"'),
        (f'({MODEL} == "T4" || {INDEX} < 0) && {INDEX} >= 0', f'({MODEL} == "T4" || {INDEX} < 0)'),
        (f"{INDEX} >= 0 && !({INDEX} == 0)", f"!({INDEX} == 0)"),
    ],
)
def test_the_condition_that_is_false_is_to_be_dropped_and_only_that_one(selector: str, dropped: str) -> None:
    snapshot = a_snapshot(a_slice([a_gpu(0, model="H100")]))

    expected = ChangeKind.RELAX_SELECTOR, f"drop `{dropped}` from selector #0 of request gpus"
    assert change(snapshot, a_claim(1, selector)) == expected


def test_the_conditions_that_hold_stay() -> None:
    pool = a_slice([a_gpu(0, model="A100"), a_gpu(1, model="H100")])
    claim = a_claim(1, f'{MODEL} != "A100" && {INDEX} > 5')

    assert names(whole(a_snapshot(pool), claim)) == ["gpu-1"]


def test_a_selector_of_the_class_is_not_the_users_to_relax() -> None:
    snapshot = a_snapshot(*a_pool(gpus=2), classes=[a_class(CLASS, f"{INDEX} > 5")])

    assert change(snapshot, a_claim(1)) is None


def test_two_false_conditions_are_more_than_one_change() -> None:
    assert change(a_snapshot(*a_pool(gpus=1)), a_claim(1, f"{INDEX} > 5 && {INDEX} > 6")) is None


def test_the_count_is_lowered_no_more_than_it_must_be() -> None:
    nodes = (NODE, OTHER)
    snapshot = a_snapshot(*a_pool(gpus=3), *a_pool(gpus=6, node=OTHER))

    found = whole(snapshot, a_claim(8), nodes=nodes)

    assert (found.kind, found.message, found.node, len(found.devices)) == (
        ChangeKind.ASK_FEWER,
        "ask for 6 devices instead of 8 in request gpus",
        OTHER,
        6,
    )


def test_a_constraint_counts_when_the_number_is_lowered() -> None:
    devices = [a_gpu(index, link="aab"[index]) for index in range(3)]

    found = whole(a_snapshot(a_slice(devices)), a_claim(3, match="gpu.nvidia.com/link"))

    assert (found.message, names(found)) == (
        "ask for 2 devices instead of 3 in request gpus",
        ["gpu-0", "gpu-1"],
    )


def test_another_request_may_be_the_one_that_asks_too_much() -> None:
    claim = a_claim(a=exactly(2), b=exactly(1))

    assert change(a_snapshot(*a_pool(gpus=2)), claim) == (
        ChangeKind.ASK_FEWER,
        "ask for 1 device instead of 2 in request a",
    )


def test_an_alternative_and_a_claim_among_several_are_named() -> None:
    claim = a_claim(gpus=first_of(many=exactly(8), few=exactly(3)))
    snapshot = a_snapshot(*a_pool(gpus=2))

    assert change(snapshot, claim) == (
        ChangeKind.ASK_FEWER,
        "ask for 2 devices instead of 3 in request gpus/few",
    )
    assert change(snapshot, a_claim(1, name="a"), a_claim(2, name="b")) == (
        ChangeKind.ASK_FEWER,
        "ask for 1 device instead of 2 in request gpus of claim default/b",
    )


def test_the_claim_that_gives_up_the_fewest_devices_is_to_be_released() -> None:
    used = {"large": ["gpu-0", "gpu-1"], "small-b": ["gpu-2"], "small-a": ["gpu-3"]}
    snapshot = a_snapshot(*a_pool(gpus=4), used=used)

    found = whole(snapshot, a_claim(1))

    assert (found.kind, found.message) == (ChangeKind.RELEASE_CLAIM, "release claim default/small-a")
    assert names(found) == ["gpu-3"]


def test_a_request_for_all_devices_waits_for_whoever_has_one() -> None:
    snapshot = a_snapshot(*a_pool(gpus=2), used={"other": ["gpu-1"]})

    assert change(snapshot, a_claim(gpus=everything())) == (
        ChangeKind.RELEASE_CLAIM,
        "release claim default/other",
    )


def test_two_claims_are_released_only_where_one_is_not_enough() -> None:
    pairs = {f"claim-{index}": [f"gpu-{index}"] for index in range(3)}
    both = everything(f"{INDEX} < 2")

    assert change(a_snapshot(*a_pool(gpus=3), used=pairs), a_claim(gpus=both)) == (
        ChangeKind.RELEASE_CLAIM,
        "release claims default/claim-0 and default/claim-1",
    )
    assert change(a_snapshot(*a_pool(gpus=3), used=pairs), a_claim(gpus=everything())) is None


def test_counters_come_free_with_the_claim_that_drew_them() -> None:
    devices = a_slice([a_gpu(i, draws={"gpu-0": {"memory": "3"}}) for i in range(2)], name="a", of=2)
    sets = a_slice(sets=[a_counter_set("gpu-0", memory="5")], name="b", of=2)
    snapshot = a_snapshot(devices, sets, used={"other": ["gpu-0"]})

    assert change(snapshot, a_claim(1)) == (ChangeKind.RELEASE_CLAIM, "release claim default/other")


def test_a_device_that_is_only_watched_with_admin_access_is_not_disturbed() -> None:
    pool = a_slice([a_gpu(0), a_gpu(1), a_gpu(2)])
    used = a_holding("watching", pool, "gpu-0")
    watched = a_holding("watching", pool, "gpu-1", "gpu-2", admin_access=True)
    watching = msgspec.structs.replace(used, results=(*used.results, *watched.results))
    snapshot = a_snapshot(pool).with_holdings(
        NODE, DRIVER, (a_holding("plain", pool, "gpu-1", "gpu-2"), watching)
    )

    assert change(snapshot, a_claim(1)) == (ChangeKind.RELEASE_CLAIM, "release claim default/watching")


def test_a_claim_is_never_told_to_release_itself() -> None:
    snapshot = a_snapshot(*a_pool(gpus=1), used={"train": ["gpu-0"]})

    assert change(snapshot, a_claim(1, name="train")) is None
    assert change(snapshot, a_claim(1, name="other")) == (
        ChangeKind.RELEASE_CLAIM,
        "release claim default/train",
    )


def test_a_pool_whose_published_devices_are_enough_is_to_be_waited_for() -> None:
    unfinished = a_snapshot(a_slice([a_gpu(0), a_gpu(1)], of=2))

    found = whole(unfinished, a_claim(2))

    assert (found.kind, found.message) == (
        ChangeKind.WAIT_FOR_POOL,
        "wait until pool gpu.nvidia.com/node-a is complete",
    )
    assert names(found) == ["gpu-0", "gpu-1"]
    assert change(unfinished, a_claim(3)) is None, "nobody knows what the other slice will bring"


def test_a_cheaper_kind_goes_before_a_dearer_one() -> None:
    taint_or_fewer = a_snapshot(a_slice([a_gpu(0), a_gpu(1, taints=[XID])]))
    pool = a_slice([a_gpu(0, model="T4"), a_gpu(1, model="H100")])
    relax_or_release = a_snapshot(pool, used={"other": ["gpu-1"]})

    assert [kind for kind, _ in filter(None, [change(taint_or_fewer, a_claim(2))])] == [ChangeKind.TOLERATE]
    assert whole(relax_or_release, a_claim(1, f'{MODEL} == "H100"')).kind is ChangeKind.RELAX_SELECTOR


def test_no_change_is_advised_that_a_fault_on_another_node_would_undo() -> None:
    """A selector that fails on one node's device stops the whole claim, also where others would do."""
    faulty = a_slice([a_gpu(0)])
    tainted = a_slice([a_gpu(0, model="H100", taints=[XID])], node=OTHER)
    claims = [a_claim(1, f'{MODEL} == "H100"')]
    snapshot = a_snapshot(faulty, tainted)

    assert whole(snapshot, *claims, nodes=(OTHER,)).kind is ChangeKind.TOLERATE
    refusal = refused(snapshot, claims, (NODE, OTHER))
    assert "no such key" in refusal.message
    assert cheapest_change(claims, snapshot, (NODE, OTHER), refusal) is None


def test_a_claim_that_is_wrong_has_to_be_written_anew() -> None:
    assert change(a_snapshot(*a_pool(gpus=1)), a_claim(gpus=exactly(1, of="unknown"))) is None


def test_without_nodes_nothing_helps() -> None:
    assert change(a_snapshot(), a_claim(1), nodes=()) is None


def test_what_was_asked_about_stays_as_it_was_and_the_answer_is_the_same_every_time() -> None:
    claim = a_claim(2)
    snapshot = a_snapshot(a_slice([a_gpu(0), a_gpu(1, taints=[XID])]))
    before, refusal = wire.encode(claim), refused(snapshot, [claim])

    answers = [cheapest_change([claim], snapshot, [NODE], refusal) for _ in range(2)]

    assert answers[0] == answers[1]
    assert wire.encode(claim) == before
    assert refused(snapshot, [claim]) == refusal


@pytest.mark.parametrize(("useless", "is_found"), [(SEARCHES_LIMIT - 1, True), (SEARCHES_LIMIT, False)])
def test_only_so_many_proposals_are_searched(useless: int, is_found: bool) -> None:
    """Each of these claims could go, but what it holds does not match what is free; the last one's does."""
    devices = [a_gpu(0, link="x"), *(a_gpu(index, link=str(index)) for index in range(1, useless + 1))]
    used = {f"claim-{index:02}": [f"gpu-{index}"] for index in range(1, useless + 1)}
    pool = a_slice([*devices, a_gpu(99, link="x")])
    snapshot = a_snapshot(pool, used={**used, "claim-99": ["gpu-99"]})

    found = change(snapshot, a_claim(a=exactly(1), b=exactly(1), match="gpu.nvidia.com/link"))

    assert found == ((ChangeKind.RELEASE_CLAIM, "release claim default/claim-99") if is_found else None)


def test_a_change_survives_the_wire() -> None:
    found = whole(a_snapshot(*a_pool(gpus=1)), a_claim(2))

    assert msgspec.json.decode(msgspec.json.encode(found), type=Change) == found
