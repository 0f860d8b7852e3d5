"""Reading claims: what is asked for, spread out in the order of the search."""

from __future__ import annotations

from slicewire.allocator.core.features import DEFAULT
from slicewire.allocator.core.requests import Demand, read
from slicewire.common.model import DeviceToleration
from tests.builders import CLASS, a_claim, a_class, everything, exactly, first_of

CLASSES = {CLASS: a_class()}


def test_requests_are_spread_out_in_order_with_their_alternatives() -> None:
    demand = read([a_claim(a=exactly(), b=first_of(fast=exactly(2), slow=everything()))], CLASSES, DEFAULT)

    assert isinstance(demand, Demand)
    assert [[each.name for each in wanted.alternatives] for wanted in demand.requests] == [
        ["a"],
        ["b/fast", "b/slow"],
    ]
    assert [each.takes_all for each in demand.requests[1].alternatives] == [False, True]


def test_what_a_request_leaves_out_is_filled_in_as_the_api_does() -> None:
    demand = read([a_claim(a=exactly(0))], CLASSES, DEFAULT)

    assert isinstance(demand, Demand)
    (alternative,) = demand.requests[0].alternatives
    assert (alternative.count, alternative.admin_access, alternative.capacity) == (1, False, {})


def test_everything_that_a_request_says_is_kept() -> None:
    toleration = DeviceToleration(key="x", operator="Exists")
    asked = exactly(2, capacity={"memory": "1Gi"}, admin=True, tolerations=[toleration])
    demand = read([a_claim(a=asked)], CLASSES, DEFAULT)

    assert isinstance(demand, Demand)
    (alternative,) = demand.requests[0].alternatives
    assert (alternative.count, alternative.admin_access, alternative.tolerations) == (2, True, (toleration,))
    assert {name: str(amount) for name, amount in alternative.capacity.items()} == {"memory": "1Gi"}
    assert str(alternative) == "claim default/train, request a"
