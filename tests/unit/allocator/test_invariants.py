"""What holds for every inventory and every claim, checked against brute force where that is possible."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from slicewire.allocator.core.holdings import usage_of
from slicewire.allocator.core.search import allocate
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.common.model import (
    AllocationResult,
    Device,
    ResourceClaim,
    ResourceSlice,
    Unsatisfiable,
    wire,
)
from tests.builders import (
    DRIVER,
    NODE,
    a_claim,
    a_counter_set,
    a_gpu,
    a_shared_gpu,
    a_slice,
    a_snapshot,
    devices_of,
    exactly,
    held_by,
)

LINK = "gpu.nvidia.com/link"
BUDGET = 6

GPUS = st.lists(
    st.builds(
        lambda size, link: (size, link),
        st.integers(1, 3),
        st.sampled_from("ab"),
    ),
    min_size=1,
    max_size=6,
)
"""What each device draws from the pool's one counter, and which link it is on."""
COUNTS = st.lists(st.integers(1, 3), min_size=1, max_size=3)
KINDS = st.sampled_from([None, "match", "distinct"])


def a_partitioned_pool(gpus: list[tuple[int, str]]) -> tuple[ResourceSlice, ResourceSlice]:
    devices = [
        a_gpu(at, link=link, draws={"memory": {"slices": str(size)}}) for at, (size, link) in enumerate(gpus)
    ]
    sets = [a_counter_set("memory", slices=str(BUDGET))]
    return a_slice(devices, name="a", of=2), a_slice(sets=sets, name="b", of=2)


def claims_for(counts: list[int], kind: str | None) -> list[ResourceClaim]:
    constraint = {} if kind is None else {kind: LINK}
    return [
        a_claim(count, name=f"claim-{at}", **constraint)  # type: ignore[arg-type]  # match or distinct
        for at, count in enumerate(counts)
    ]


def answer_of(snapshot: Snapshot, claims: list[ResourceClaim]) -> tuple[AllocationResult, ...] | None:
    answer = allocate(claims, snapshot, NODE)
    assert isinstance(answer, tuple | Unsatisfiable), answer
    return answer if isinstance(answer, tuple) else None


def is_feasible(gpus: list[tuple[int, str]], counts: list[int], kind: str | None) -> bool:
    """By looking at every way to give each claim its devices."""

    def serve(rest: list[int], free: frozenset[int], budget: int) -> bool:
        if not rest:
            return True
        for chosen in combinations(sorted(free), rest[0]):
            links = Counter(gpus[at][1] for at in chosen)
            left = budget - sum(gpus[at][0] for at in chosen)
            fits = (kind != "match" or len(links) == 1) and (kind != "distinct" or max(links.values()) == 1)
            if fits and left >= 0 and serve(rest[1:], free - set(chosen), left):
                return True
        return False

    return serve(counts, frozenset(range(len(gpus))), BUDGET)


@given(GPUS, COUNTS, KINDS)
def test_an_answer_is_found_exactly_when_there_is_one(
    gpus: list[tuple[int, str]], counts: list[int], kind: str | None
) -> None:
    answer = answer_of(a_snapshot(*a_partitioned_pool(gpus)), claims_for(counts, kind))

    assert (answer is not None) is is_feasible(gpus, counts, kind)


@given(GPUS, COUNTS, KINDS)
def test_no_device_is_given_twice_and_no_counter_falls_below_zero(
    gpus: list[tuple[int, str]], counts: list[int], kind: str | None
) -> None:
    answer = answer_of(a_snapshot(*a_partitioned_pool(gpus)), claims_for(counts, kind))

    if answer is not None:
        devices = devices_of(answer)
        assert len(set(devices)) == len(devices) == sum(counts)
        assert sum(gpus[int(name.removeprefix("gpu-"))][0] for name in devices) <= BUDGET


@given(GPUS, COUNTS, KINDS)
def test_allocate_then_release_gives_the_first_answer_again(
    gpus: list[tuple[int, str]], counts: list[int], kind: str | None
) -> None:
    snapshot, claims = a_snapshot(*a_partitioned_pool(gpus)), claims_for(counts, kind)
    answer = answer_of(snapshot, claims)
    if answer is None:
        return

    held = tuple(held_by(claim, result) for claim, result in zip(claims, answer, strict=True))
    full = snapshot.with_holdings(NODE, DRIVER, held)
    released = full.with_holdings(NODE, DRIVER, ())

    again = answer_of(full, [a_claim(1, name="next")])
    assert again is None or devices_of(again)[0] not in devices_of(answer)
    assert answer_of(released, claims) == answer


@given(GPUS, COUNTS, KINDS, st.integers(1, 3), st.sampled_from("ab"))
def test_a_bigger_pool_never_turns_yes_to_no(
    gpus: list[tuple[int, str]], counts: list[int], kind: str | None, size: int, link: str
) -> None:
    claims = claims_for(counts, kind)
    smaller = answer_of(a_snapshot(*a_partitioned_pool(gpus)), claims)
    larger = answer_of(a_snapshot(*a_partitioned_pool([*gpus, (size, link)])), claims)

    assert smaller is None or larger is not None


def shares_for(name: str, amounts: list[int]) -> ResourceClaim:
    requests = {f"r{at}": exactly(capacity={"memory": str(amount)}) for at, amount in enumerate(amounts)}
    return a_claim(name=name, **requests)  # type: ignore[arg-type]  # requests by name


SHARES = st.lists(st.lists(st.integers(1, 6), min_size=1, max_size=3), min_size=1, max_size=3)


@settings(max_examples=60)
@given(st.lists(st.integers(1, 8), min_size=1, max_size=3), SHARES)
def test_shares_never_add_up_to_more_than_the_device(memories: list[int], shares: list[list[int]]) -> None:
    devices: list[Device] = [a_shared_gpu(at, memory=str(memory)) for at, memory in enumerate(memories)]
    claims = [shares_for(f"claim-{at}", each) for at, each in enumerate(shares)]
    answer = answer_of(a_snapshot(a_slice(devices)), claims)

    if answer is not None:
        usage = usage_of(held_by(claim, result) for claim, result in zip(claims, answer, strict=True))
        for at, memory in enumerate(memories):
            share = usage.shared.get(devices[at].name)
            assert share is None or share.consumed["memory"] <= memory
        ids = [each.share_id for result in answer for each in result.devices.results]
        assert len(set(ids)) == len(ids)


@given(GPUS, COUNTS, KINDS, st.randoms(use_true_random=False))
def test_the_order_in_which_slices_are_told_does_not_matter(
    gpus: list[tuple[int, str]], counts: list[int], kind: str | None, shuffle: object
) -> None:
    slices = [*a_partitioned_pool(gpus), a_slice([a_gpu(9, link="a")], pool="other", driver="z.example.com")]
    in_order = answer_of(a_snapshot(*slices), claims_for(counts, kind))
    shuffle.shuffle(slices)  # type: ignore[attr-defined]  # a random.Random of hypothesis

    assert answer_of(a_snapshot(*slices), claims_for(counts, kind)) == in_order


@given(GPUS, COUNTS, KINDS)
def test_asking_changes_nothing_that_was_told_and_the_same_snapshot_gives_the_same_answer(
    gpus: list[tuple[int, str]], counts: list[int], kind: str | None
) -> None:
    slices, claims = a_partitioned_pool(gpus), claims_for(counts, kind)
    before = wire.encode(slices), wire.encode(claims)
    snapshot = a_snapshot(*slices)

    first = allocate(claims, snapshot, NODE)

    assert allocate(claims, snapshot, NODE) == first
    assert allocate(claims, a_snapshot(*slices), NODE) == first
    assert (wire.encode(slices), wire.encode(claims)) == before
