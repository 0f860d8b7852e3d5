"""Requests that ask for the same are not tried in every order, and nothing is lost by that."""

from __future__ import annotations

from slicewire.allocator.core.attempt import Attempt, Question
from slicewire.allocator.core.faults import Fault
from slicewire.allocator.core.features import DEFAULT
from slicewire.allocator.core.options import options_on
from slicewire.allocator.core.requests import read
from slicewire.allocator.core.search import allocate, attempt
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.allocator.core.solver import Allowance
from slicewire.allocator.core.symmetry import Twins, twins
from slicewire.common.model import ResourceClaim
from tests.builders import (
    NODE,
    a_claim,
    a_gpu,
    a_pool,
    a_slice,
    a_snapshot,
    devices_of,
    everything,
    exactly,
    first_of,
)

LINK = "gpu.nvidia.com/link"


def asked(snapshot: Snapshot, *claims: ResourceClaim) -> Question:
    demand = read(claims, snapshot.classes, DEFAULT)
    assert not isinstance(demand, Fault)
    return Question.of(demand, snapshot, NODE, DEFAULT)


def found(*claims: ResourceClaim) -> Twins:
    question = asked(a_snapshot(*a_pool(gpus=4)), *claims)
    fresh = Attempt(question)
    options = options_on(question, fresh)
    assert not isinstance(options, Fault)
    return twins(options, fresh)


def test_equal_requests_are_twins_of_the_one_before() -> None:
    assert found(a_claim(a=exactly(), b=exactly(1, "true"), c=exactly(), d=exactly())) == (None, None, 0, 2)


def test_a_choice_and_all_devices_are_never_twins() -> None:
    either = first_of(x=exactly(), y=exactly(2))

    assert found(a_claim(a=either, b=either, c=everything(), d=everything())) == (None,) * 4


def test_claims_that_are_not_bound_by_constraints_may_have_twins_of_each_other() -> None:
    assert found(a_claim(1, name="a"), a_claim(1, name="b")) == (None, 0)
    assert found(a_claim(1, name="a", match=LINK), a_claim(1, name="b", match=LINK)) == (None, None)
    assert found(a_claim(match=LINK, a=exactly(), b=exactly())) == (None, 0)


def test_different_amounts_or_capacities_are_not_twins() -> None:
    assert found(a_claim(a=exactly(1), b=exactly(2), c=exactly(1, capacity={"memory": "1"}))) == (None,) * 3


def test_a_request_that_needs_the_first_device_is_found_without_trying_every_order() -> None:
    needs_first = exactly(1, 'device.attributes["gpu.nvidia.com"].index == 0')
    claim = a_claim(
        a=exactly(), b=exactly(), c=exactly(), d=exactly(), e=exactly(), f=exactly(), last=needs_first
    )

    answer = attempt(asked(a_snapshot(*a_pool(gpus=7)), claim), Allowance(1_000))

    assert isinstance(answer, tuple)
    assert devices_of(answer) == [f"gpu-{index}" for index in (1, 2, 3, 4, 5, 6, 0)]


def test_the_answer_is_the_one_that_trying_every_order_would_find_first() -> None:
    devices = [a_gpu(index, link="ab"[index % 2]) for index in range(6)]
    claims = a_claim(a=exactly(), b=exactly(2), c=exactly()), a_claim(2, name="pair", match=LINK)

    answer = allocate(claims, a_snapshot(a_slice(devices)), NODE)

    assert isinstance(answer, tuple)
    assert devices_of(answer) == ["gpu-0", "gpu-1", "gpu-2", "gpu-4", "gpu-3", "gpu-5"]
