"""A plan is its seed: told twice, it is the same; and every operation and every fault is in it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.soak import plan

SEED, MANY = 2026, 400


@pytest.mark.parametrize(
    "lane",
    [
        plan.inventory,
        lambda seed: plan.over_the_bus(seed, 3),
        lambda seed: plan.through_kubernetes(seed, 3),
        lambda seed: plan.faults(seed, 3),
    ],
)
def test_the_same_seed_does_the_same(lane: Callable[[int], Iterator[Any]]) -> None:
    first, again, other = (list(itertools.islice(lane(seed), MANY)) for seed in (SEED, SEED, SEED + 1))
    assert first == again
    assert first != other


def test_every_operation_is_in_a_plan() -> None:
    lanes = (plan.inventory(SEED), plan.over_the_bus(SEED, 0), plan.through_kubernetes(SEED, 0))
    found = {type(operation) for lane in lanes for operation in itertools.islice(lane, MANY)}
    assert found == set(plan.Operation.__args__)


def test_every_fault_comes_before_any_comes_again() -> None:
    first = [fault.what for fault in itertools.islice(plan.faults(SEED, 3), len(plan.FAULTS))]
    assert sorted(first) == sorted(plan.FAULTS)
