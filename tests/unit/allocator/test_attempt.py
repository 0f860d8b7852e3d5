"""One attempt: what a pick takes from the others, and that undo takes all of it back."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicewire.allocator.core.attempt import Attempt, Pick, Question
from slicewire.allocator.core.capacity import CapacityShort
from slicewire.allocator.core.counters import CounterShort
from slicewire.allocator.core.faults import Fault
from slicewire.allocator.core.features import DEFAULT, Features
from slicewire.allocator.core.objections import Constrained, FeatureOff, InUse, Tainted
from slicewire.allocator.core.requests import Alternative, read
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.allocator.core.stock import Candidate
from slicewire.common.model import DeviceTaint, PoolName, ResourceClaim, ResourceSlice
from tests.builders import (
    DRIVER,
    NODE,
    a_claim,
    a_counter_set,
    a_gpu,
    a_holding,
    a_shared_gpu,
    a_slice,
    a_snapshot,
    exactly,
)


def asked(snapshot: Snapshot, *claims: ResourceClaim, features: Features = DEFAULT) -> Question:
    demand = read(claims, snapshot.classes, features)
    assert not isinstance(demand, Fault)
    return Question.of(demand, snapshot, NODE, features)


def parts(question: Question) -> tuple[list[Alternative], tuple[Candidate, ...]]:
    return [wanted.alternatives[0] for wanted in question.demand.requests], question.stock.candidates


def the_state(attempt: Attempt) -> object:
    """All that a pick may change."""
    return (
        list(attempt.picks),
        {id_: list(by) for id_, by in attempt._dedicated.items()},
        {id_: list(shares) for id_, shares in attempt._shares.items()},
        set(attempt._drawn),
        {id_: dict(left) for id_, left in attempt._budgets._left.items()},
        [[each.picked for each in of_claim] for of_claim in attempt._constraints],
    )


def partitions(*, shared: bool = False) -> tuple[ResourceSlice, ResourceSlice]:
    make: Callable[..., object] = a_shared_gpu if shared else a_gpu
    devices = [make(index, draws={"memory": {"slices": "3"}}, link="a") for index in range(3)]
    sets = [a_counter_set("memory", slices="7")]
    return a_slice(devices, name="a", of=2), a_slice(sets=sets, name="b", of=2)  # type: ignore[arg-type]


@pytest.mark.parametrize("shared", [False, True])
def test_undo_restores_everything_that_a_pick_changed(shared: bool) -> None:
    question = asked(a_snapshot(*partitions(shared=shared)), a_claim(2, match="gpu.nvidia.com/link"))
    (gpus,), (first, second, _) = parts(question)
    attempt = Attempt(question)
    attempt.unavailable(gpus, first)
    before = the_state(attempt)

    picks = [attempt.try_pick(gpus, first), attempt.try_pick(gpus, second)]
    assert the_state(attempt) != before
    for pick in reversed(picks):
        assert isinstance(pick, Pick)
        attempt.undo(pick)

    assert the_state(attempt) == before


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5)), max_size=12), st.booleans())
def test_any_picks_taken_back_one_by_one_leave_no_trace(
    tries: list[tuple[int, int]], admin_first: bool
) -> None:
    shared, whole = partitions(shared=True), partitions()
    pools = (*shared, *(renamed(each, "other") for each in whole))
    share = exactly(capacity={"memory": "30Gi"})
    claim = a_claim(a=share, b=exactly(admin=admin_first), c=share, match="gpu.nvidia.com/link")
    question = asked(a_snapshot(*pools), claim)
    requests, candidates = parts(question)
    attempt = Attempt(question)
    for candidate in candidates:
        attempt.unavailable(requests[0], candidate)
    states = [the_state(attempt)]
    made: list[Pick] = []

    for request, device in tries:
        pick = attempt.try_pick(requests[request], candidates[device])
        if isinstance(pick, Pick):
            made.append(pick)
            states.append(the_state(attempt))
        assert the_state(attempt) == states[-1]
    for pick in reversed(made):
        assert the_state(attempt) == states.pop()
        attempt.undo(pick)

    assert the_state(attempt) == states.pop()


def renamed(published: ResourceSlice, pool: str) -> ResourceSlice:
    spec = published.spec
    named = msgspec.structs.replace(spec.pool, name=PoolName(pool))
    return msgspec.structs.replace(published, spec=msgspec.structs.replace(spec, pool=named))


def test_a_refused_pick_changes_nothing() -> None:
    devices = [a_gpu(0, link="a", side=1), a_gpu(1, link="a", side=2)]
    claim = a_claim(2, match="gpu.nvidia.com/link", distinct="gpu.nvidia.com/missing")
    question = asked(a_snapshot(a_slice(devices)), claim)
    (gpus,), (first, _) = parts(question)
    attempt = Attempt(question)
    before = the_state(attempt)

    assert attempt.try_pick(gpus, first) == Constrained("gpu.nvidia.com/missing", False, False)
    assert the_state(attempt) == before


def test_a_device_in_use_names_who_has_it() -> None:
    pool = a_slice([a_gpu(0), a_gpu(1)])
    question = asked(a_snapshot(pool, used={"other": ["gpu-0"]}), a_claim(a=exactly(), b=exactly()))
    (first_request, second_request), (held, free) = parts(question)
    attempt = Attempt(question)

    assert attempt.try_pick(first_request, held) == InUse("claim default/other")
    attempt.try_pick(first_request, free)
    assert attempt.try_pick(second_request, free) == InUse("claim default/train, request a")


def test_admin_access_looks_past_other_claims_but_not_past_its_own() -> None:
    pool = a_slice([a_gpu(0)])
    claims = (a_claim(look=exactly(admin=True), again=exactly(admin=True)), a_claim(1, name="later"))
    question = asked(a_snapshot(pool, used={"other": ["gpu-0"]}), *claims)
    (look, again, _), (device,) = parts(question)
    attempt = Attempt(question)

    assert isinstance(attempt.try_pick(look, device), Pick)
    assert attempt.try_pick(again, device) == InUse("request look of the same claim")


def test_a_device_that_was_dedicated_stays_so_and_one_that_was_shared_is_not_given_whole() -> None:
    shareable, whole = a_shared_gpu(0), a_gpu(1)
    pool = a_slice([shareable, whole])
    held = (a_holding("whole", pool, "gpu-0"), a_holding("share", pool, "gpu-1", share_id="x"))
    question = asked(a_snapshot(pool).with_holdings(NODE, DRIVER, held), a_claim(1))
    (gpus,), candidates = parts(question)
    attempt = Attempt(question)

    assert [attempt.in_use(gpus, each) for each in candidates] == [
        InUse("claim default/whole"),
        InUse("a share of claim default/share"),
    ]


def test_shares_add_up_with_those_that_claims_hold() -> None:
    pool = a_slice([a_shared_gpu(0, memory="10")])
    held = a_holding("other", pool, "gpu-0", share_id="x", consumed_capacity=exact("4"))
    claim = a_claim(a=exactly(capacity={"memory": "5"}), b=exactly(capacity={"memory": "2"}))
    question = asked(a_snapshot(pool).with_holdings(NODE, DRIVER, (held,)), claim)
    (five, two), (device,) = parts(question)
    attempt = Attempt(question)

    assert isinstance(attempt.try_pick(five, device), Pick)
    assert attempt.try_pick(two, device) == CapacityShort("memory", 2, 1)


def test_a_shared_device_draws_its_counters_with_the_first_share_only() -> None:
    share = exactly(capacity={"memory": "10Gi"})
    question = asked(a_snapshot(*partitions(shared=True)), a_claim(a=share, b=share, c=share))
    (a, b, c), (first, second, third) = parts(question)
    attempt = Attempt(question)

    picks = [attempt.try_pick(a, first), attempt.try_pick(b, first), attempt.try_pick(c, second)]

    assert [pick.drew for pick in picks if isinstance(pick, Pick)] == [True, False, True]
    assert isinstance(attempt.try_pick(c, third), CounterShort)


def test_a_taint_counts_unless_the_feature_is_off() -> None:
    taint = DeviceTaint(key="health", value="broken", effect="NoSchedule")
    snapshot = a_snapshot(a_slice([a_gpu(0, taints=[taint])]))
    for features, objection in ((DEFAULT, Tainted(taint)), (Features(device_taints=False), None)):
        question = asked(snapshot, a_claim(1), features=features)
        (gpus,), (device,) = parts(question)
        assert Attempt(question).unavailable(gpus, device) == objection


def test_a_device_with_counters_needs_partitionable_devices() -> None:
    features = Features(partitionable_devices=False)
    question = asked(a_snapshot(a_slice(partitions()[0].spec.devices)), a_claim(1), features=features)
    (gpus,), (device, *_) = parts(question)

    assert Attempt(question).try_pick(gpus, device) == FeatureOff("shared counters")


def exact(memory: str) -> object:
    requirements = exactly(capacity={"memory": memory}).capacity
    assert requirements is not None
    return requirements.requests
