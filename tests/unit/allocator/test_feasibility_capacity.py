"""Shares of devices with request policies: an answer is found exactly when a look at all ways finds one.

The search for an amount that a policy allows is written here the plain way: all amounts that it allows
are listed, and the first that is enough is taken. Amounts are counted in halves, so that some are no
whole number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from slicewire.allocator.core.search import allocate
from slicewire.common.model import (
    CapacityRequestPolicy,
    CapacityRequestPolicyRange,
    Device,
    Quantity,
    ResourceClaim,
    Unsatisfiable,
)
from tests.builders import NODE, a_claim, a_gpu, a_holding, a_shared_gpu, a_slice, a_snapshot, exactly


class Policy(NamedTuple):
    """`values` alone, or a range from the first of them in steps (0: any amount) to `most` (0: no end)."""

    default: int
    values: tuple[int, ...] = ()
    step: int = 0
    most: int = 0
    is_range: bool = False


class Gpu(NamedTuple):
    memory: int
    shared: bool
    held: int
    policy: Policy | None


class Asked(NamedTuple):
    """`memory` 0: none in particular."""

    number: int
    memory: int


def _range(low: int, default: int, step: int, most: int) -> Policy:
    """A sound one: the default and the end are on steps from the beginning."""
    on = step or 1
    return Policy(low + default * on, (low,), step, low + (default + most) * on if most else 0, is_range=True)


POLICY = st.one_of(
    st.none(),
    st.integers(0, 6).map(Policy),
    st.lists(st.integers(1, 10), min_size=1, max_size=3, unique=True).flatmap(
        lambda values: st.sampled_from(values).map(lambda default: Policy(default, tuple(sorted(values))))
    ),
    st.builds(_range, st.integers(0, 4), st.integers(0, 2), st.integers(0, 3), st.integers(0, 3)),
)
GPU = st.builds(
    Gpu, st.integers(1, 12), st.sampled_from([True, True, True, False]), st.integers(0, 4), POLICY
)
CLAIMS = st.lists(
    st.lists(st.builds(Asked, st.integers(1, 2), st.integers(0, 8)), min_size=1, max_size=2),
    min_size=1,
    max_size=2,
)


def amount(halves: int) -> Quantity:
    return Quantity(f"{halves * 500}m")


def written(policy: Policy) -> CapacityRequestPolicy:
    if not policy.is_range:
        values = tuple(map(amount, policy.values))
        return CapacityRequestPolicy(default=amount(policy.default), valid_values=values)
    (low,) = policy.values
    valid = CapacityRequestPolicyRange(
        min=amount(low),
        max=amount(policy.most) if policy.most else None,
        step=amount(policy.step) if policy.step else None,
    )
    return CapacityRequestPolicy(default=amount(policy.default), valid_range=valid)


def device_of(at: int, gpu: Gpu) -> Device:
    memory = amount(gpu.memory).text
    if not gpu.shared:
        return a_gpu(at, memory=memory)
    return a_shared_gpu(at, memory=memory, policy=written(gpu.policy) if gpu.policy else None)


def claim_of(at: int, requests: Sequence[Asked]) -> ResourceClaim:
    made = {
        f"r{number}": exactly(
            asked.number, capacity={"memory": amount(asked.memory).text} if asked.memory else None
        )
        for number, asked in enumerate(requests)
    }
    return a_claim(name=f"claim-{at}", **made)  # type: ignore[arg-type]  # requests by name


def takes(gpu: Gpu, memory: int) -> int | None:
    """What a share of the device takes; None where the device gives out no such amount."""
    policy = gpu.policy
    if not memory:
        return policy.default if policy else gpu.memory
    if policy is None or not policy.values:
        return memory
    enough = [each for each in _allowed(policy) if each >= memory]
    return min(enough, default=None)


def _allowed(policy: Policy) -> Sequence[int]:
    """All amounts that the policy gives out, as far as anybody here asks for them."""
    if not policy.is_range:
        return (*policy.values, policy.default)
    (low,) = policy.values
    amounts = range(low, (policy.most or 40) + 1, policy.step or 1)
    return (*amounts, policy.default)


Shares = Mapping[int, int]
"""What is taken of each device; a whole one is taken more than it has."""


def after(gpus: Sequence[Gpu], chosen: Sequence[int], memory: int, shares: Shares) -> Shares | None:
    taken = dict(shares)
    for at in chosen:
        gpu = gpus[at]
        share = takes(gpu, memory) if gpu.shared else gpu.memory
        if share is None or memory > gpu.memory or taken.get(at, 0) + share > gpu.memory:
            return None
        if not gpu.shared and at in taken:
            return None
        taken[at] = taken.get(at, 0) + share
    return taken


def is_feasible(gpus: Sequence[Gpu], asked: Sequence[Asked], shares: Shares) -> bool:
    if not asked:
        return True
    afterwards: Iterator[Shares | None] = (
        after(gpus, chosen, asked[0].memory, shares)
        for chosen in combinations(range(len(gpus)), asked[0].number)
    )
    return any(each is not None and is_feasible(gpus, asked[1:], each) for each in afterwards)


@settings(max_examples=250)
@given(st.lists(GPU, min_size=1, max_size=3), CLAIMS)
def test_with_policies_an_answer_is_found_exactly_when_there_is_one(
    gpus: list[Gpu], claims: list[list[Asked]]
) -> None:
    gpus = [gpu._replace(held=min(gpu.held, gpu.memory) if gpu.shared else 0) for gpu in gpus]
    published = a_slice(device_of(at, gpu) for at, gpu in enumerate(gpus))
    held = tuple(
        a_holding(
            f"earlier-{at}",
            published,
            f"gpu-{at}",
            share_id=f"s{at}",
            consumed_capacity={"memory": amount(gpu.held)},
        )
        for at, gpu in enumerate(gpus)
        if gpu.held
    )
    snapshot = a_snapshot(published).with_holdings(NODE, published.spec.driver, held)

    answer = allocate([claim_of(at, requests) for at, requests in enumerate(claims)], snapshot, NODE)

    assert isinstance(answer, tuple | Unsatisfiable), answer
    earlier = {at: gpu.held for at, gpu in enumerate(gpus) if gpu.held}
    asked = [each for requests in claims for each in requests]
    assert isinstance(answer, tuple) is is_feasible(gpus, asked, earlier)


@settings(max_examples=100)
@given(GPU, st.integers(0, 8))
def test_what_is_written_down_as_consumed_is_what_the_policy_gives_out(gpu: Gpu, memory: int) -> None:
    gpu = gpu._replace(shared=True)
    snapshot = a_snapshot(a_slice([device_of(0, gpu)]))

    answer = allocate([claim_of(0, [Asked(1, memory)])], snapshot, NODE)

    if isinstance(answer, tuple):
        (result,) = answer[0].devices.results
        share = takes(gpu, memory)
        assert share is not None
        assert result.consumed_capacity == {"memory": amount(share)}


def test_an_amount_that_a_policy_gives_out_is_found_by_listing_them_all() -> None:
    ended, endless = _range(2, 1, 2, 1), _range(2, 1, 2, 0)
    assert [each for each in _allowed(ended) if each >= 5] == [6]
    assert takes(Gpu(12, shared=True, held=0, policy=ended), 7) is None
    assert takes(Gpu(12, shared=True, held=0, policy=endless), 7) == 8
