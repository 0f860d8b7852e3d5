"""Shared counters: budgets of pools, drawn from and given back."""

from __future__ import annotations

from slicewire.allocator.core.counters import Budgets, CounterShort, left_by
from slicewire.allocator.core.features import DEFAULT
from slicewire.allocator.core.holdings import Usage, usage_of
from slicewire.allocator.core.stock import CounterName, Pool
from slicewire.common.model import PoolID
from tests.builders import NODE, a_counter_set, a_gpu, a_holding, a_slice, a_snapshot

SLICES = CounterName("memory", "slices")
DEVICES = a_slice([a_gpu(index, draws={"memory": {"slices": "3"}}) for index in range(3)], name="a", of=2)
SETS = a_slice(sets=[a_counter_set("memory", slices="7")], name="b", of=2)


def the_pool() -> Pool:
    (pool,) = a_snapshot(DEVICES, SETS).stock(NODE, DEFAULT).pools
    return pool


def budgets(usage: Usage) -> tuple[Pool, Budgets]:
    pool = the_pool()
    pools: dict[PoolID, Pool] = {pool.id: pool}
    return pool, Budgets(pools, {pool.id: usage})


def test_devices_in_use_have_drawn_already() -> None:
    used = usage_of([a_holding("a", DEVICES, "gpu-0")])

    assert left_by(used, the_pool()) == {SLICES: 4}


def test_a_share_counts_once_however_many_there_are() -> None:
    shares = [a_holding(claim, DEVICES, "gpu-0", share_id=claim) for claim in ("a", "b")]

    assert left_by(usage_of(shares), the_pool()) == {SLICES: 4}


def test_admin_access_draws_nothing() -> None:
    looking = a_holding("a", DEVICES, "gpu-0", admin_access=True)

    assert left_by(usage_of([looking]), the_pool()) == {SLICES: 7}


def test_what_is_drawn_is_missing_and_what_is_given_back_is_there_again() -> None:
    pool, left = budgets(Usage())
    first, second, third = pool.devices

    left.draw(first)
    left.draw(second)
    assert left.shortage(third) == CounterShort(SLICES, 3, 1)

    left.give_back(second)
    assert left.shortage(third) is None


def test_a_counter_that_was_overdrawn_before_blocks_every_device_of_its_pool() -> None:
    devices = [a_gpu(0, draws={"old": {"slices": "9"}}), a_gpu(1, draws={"memory": {"slices": "1"}})]
    sets = [a_counter_set("memory", slices="7"), a_counter_set("old", slices="8")]
    snapshot = a_snapshot(a_slice(devices, name="a", of=2), a_slice(sets=sets, name="b", of=2))
    (pool,) = snapshot.stock(NODE, DEFAULT).pools
    used = usage_of([a_holding("a", DEVICES, "gpu-0")])

    shortage = Budgets({pool.id: pool}, {pool.id: used}).shortage(pool.devices[1])

    assert shortage == CounterShort(CounterName("old", "slices"), 0, -1)


def test_the_words_name_the_counter_and_the_amount() -> None:
    assert str(CounterShort(SLICES, 3, 1)) == "counter memory/slices is short by 2"
    assert str(CounterShort(SLICES, 0, -2)) == "counter memory/slices of its pool is overdrawn by 2"
