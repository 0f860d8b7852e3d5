"""Which node a claim goes to, and who says how it is filled: the claim, the node, or the allocator."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from slicewire.allocator.core.fleet import Placement, place
from slicewire.allocator.core.nodes import NodeView
from slicewire.allocator.core.packing.roster import Roster
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.common.model import NodeName, ResourceClaim, Unsatisfiable
from slicewire.common.model.packing import PACKING, Packing
from tests.builders import DRIVER, a_claim, a_holding, a_pool, a_snapshot, held_by


def a_fleet(**in_use: int) -> Snapshot:
    """Nodes of four GPUs, of which so many are in use."""
    snapshot = a_snapshot(*(pool for node in in_use for pool in a_pool(4, node=node)))
    for node, count in in_use.items():
        if count:
            snapshot = holding(snapshot, node, count)
    return snapshot


def holding(snapshot: Snapshot, node: str, count: int) -> Snapshot:
    name = NodeName(node)
    (slice_,) = snapshot.slices(name, DRIVER)
    held = a_holding("other", slice_, *(f"gpu-{index}" for index in range(count)))
    return snapshot.with_holdings(name, DRIVER, (held,))


def saying(policy: str, claim: ResourceClaim) -> ResourceClaim:
    metadata = msgspec.structs.replace(claim.metadata, annotations={PACKING: policy})
    return msgspec.structs.replace(claim, metadata=metadata)


def labelled(snapshot: Snapshot, **policies: str) -> Snapshot:
    for node, policy in policies.items():
        snapshot = snapshot.with_node(NodeView(NodeName(node), {PACKING: policy}))
    return snapshot


def node_of(snapshot: Snapshot, *claims: ResourceClaim) -> str:
    answer = place(claims, snapshot, snapshot.nodes)
    assert isinstance(answer, Placement), answer
    return answer.node


def refused(snapshot: Snapshot, *claims: ResourceClaim) -> Unsatisfiable:
    answer = place(claims, snapshot, snapshot.nodes)
    assert isinstance(answer, Unsatisfiable), answer
    return answer


FLEET: Mapping[str, int] = {"a": 1, "b": 3, "c": 0, "d": 2}


@pytest.mark.parametrize(
    ("policy", "one", "two", "four"),
    [(Packing.FIRST_FIT, "a", "a", "c"), (Packing.PACK, "b", "d", "c"), (Packing.SPREAD, "c", "c", "c")],
)
def test_the_policy_says_which_of_the_nodes_that_fit_is_taken(
    policy: Packing, one: str, two: str, four: str
) -> None:
    fleet = a_fleet(**FLEET).with_packing(policy)

    assert [node_of(fleet, a_claim(count)) for count in (1, 2, 4)] == [one, two, four]


def test_who_says_nothing_gets_first_fit() -> None:
    assert node_of(a_fleet(**FLEET), a_claim(1)) == "a"


def test_the_claim_has_the_first_word_and_the_node_the_second() -> None:
    fleet = labelled(a_fleet(**FLEET), a="pack", b="pack", c="pack", d="pack").with_packing(Packing.SPREAD)

    assert node_of(fleet, a_claim(1)) == "b"
    assert node_of(fleet, saying("spread", a_claim(1))) == "c"
    assert node_of(fleet, saying("first-fit", a_claim(1))) == "a"


def test_packed_nodes_come_before_those_that_are_spread() -> None:
    fleet = labelled(a_fleet(a=0, b=0, c=0), a="spread", b="first-fit", c="pack")

    assert node_of(fleet, a_claim(4)) == "c"
    assert node_of(holding(fleet, "c", 1), a_claim(4)) == "b"
    assert node_of(holding(holding(fleet, "c", 1), "b", 1), a_claim(4)) == "a"


def test_a_claim_whose_annotation_names_no_policy_is_refused_for_good() -> None:
    answer = refused(a_fleet(a=0), saying("tightly", a_claim(1)))

    assert answer.fatal
    assert answer.message == (
        "claim default/train: annotation slicewire.dev/packing:"
        " 'tightly' is not one of first-fit, pack, spread"
    )


def test_a_node_whose_label_names_no_policy_takes_only_claims_that_name_one() -> None:
    fleet = labelled(a_fleet(a=0), a="tightly")

    (refusal,) = (each for each in refused(fleet, a_claim(1)).refusals if each.node == "a")
    assert refusal.message == (
        "node a: label slicewire.dev/packing: 'tightly' is not one of first-fit, pack, spread"
    )
    assert node_of(fleet, saying("pack", a_claim(1))) == "a"


def test_claims_that_go_together_go_where_the_first_that_names_a_policy_says() -> None:
    fleet = a_fleet(**FLEET)

    assert node_of(fleet, a_claim(1, name="x"), saying("pack", a_claim(1, name="y"))) == "d"


def test_claims_fill_a_node_before_they_break_into_another() -> None:
    fleet, went = a_fleet(a=0, b=0, c=0).with_packing(Packing.PACK), list[str]()
    for number, count in enumerate((3, 2, 1, 2, 4)):
        claim = a_claim(count, name=f"c{number}")
        answer = place([claim], fleet, fleet.nodes)
        assert isinstance(answer, Placement)
        held = (*fleet.holdings(answer.node, DRIVER), held_by(claim, answer.results[0]))
        fleet = fleet.with_holdings(answer.node, DRIVER, held)
        went.append(answer.node)

    assert went == ["a", "b", "a", "b", "c"]


def test_a_node_is_as_full_as_it_is_now_not_as_it_was_when_it_was_last_looked_at() -> None:
    before = a_fleet(a=1, b=3, c=0).with_packing(Packing.PACK)
    assert node_of(before, a_claim(1)) == "b"

    freed = before.with_holdings(NodeName("b"), DRIVER, ())
    assert node_of(freed, a_claim(1)) == "a"
    assert node_of(holding(freed, "c", 2), a_claim(1)) == "c"
    assert node_of(before, a_claim(1)) == "b"


def test_a_node_that_joins_or_leaves_is_noticed() -> None:
    fleet = a_fleet(a=1, b=0).with_packing(Packing.PACK)
    assert node_of(fleet, a_claim(1)) == "a"

    (pool,) = a_pool(1, node="late")
    joined = holding(fleet.with_slices(NodeName("late"), DRIVER, (pool,)), "late", 0)
    assert node_of(joined, a_claim(1)) == "a"
    assert node_of(joined.without_slices(NodeName("a"), DRIVER), a_claim(1)) == "late"


def test_only_the_nodes_that_are_named_are_asked() -> None:
    fleet = a_fleet(**FLEET).with_packing(Packing.PACK)
    place([a_claim(1)], fleet, fleet.nodes)

    answer = place([a_claim(1)], fleet, (NodeName("c"), NodeName("d")))

    assert isinstance(answer, Placement)
    assert answer.node == "d"


def test_a_blank_roster_has_nothing_to_forget() -> None:
    roster = Roster()

    assert roster.forgetting([NodeName("a")]) is roster
