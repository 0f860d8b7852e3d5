"""What a node has been told."""

from __future__ import annotations

from slicewire.common.model import ClaimUID
from slicewire.node_prep.core.node import Claim
from tests.unit.node_prep.builders import a_claim, a_node, an_allocation

ONE = ClaimUID("claim-1")


def test_before_the_ledger_was_heard_nothing_is_known_and_nothing_is_released() -> None:
    node = a_node()
    assert node.allocation(ONE) is None
    assert not node.has_released(ONE)


def test_a_claim_that_left_the_ledger_is_released() -> None:
    assert a_node(allocations={}).has_released(ONE)
    assert not a_node(allocations={ONE: an_allocation()}).has_released(ONE)


def test_a_claim_is_found_to_be_replaced_by_its_name() -> None:
    node = a_node(allocations={ONE: an_allocation(claim=a_claim(ONE, name="train"))})
    assert node.named_like(a_claim("claim-2", name="train")) == node.allocation(ONE)
    assert node.named_like(a_claim("claim-2", name="other")) is None
    assert node.named_like(a_claim(ONE, name="train")) is None


def test_what_is_longer_than_any_name_is_not_repeated_whole() -> None:
    longest = "x" * 253
    assert str(a_claim(longest, name=longest)) == f"default/{longest} ({longest})"
    cut = "y" * 252 + "…"
    assert str(a_claim("y" * 10_000, name="y" * 254)) == f"default/{cut} ({cut})"


def test_claims_without_a_name_are_never_taken_for_each_other() -> None:
    nameless = Claim(uid=ONE)
    node = a_node(allocations={ONE: an_allocation(claim=nameless)})
    assert node.named_like(Claim(uid=ClaimUID("claim-2"))) is None
