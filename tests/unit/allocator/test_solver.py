"""The search itself: what it finds first, and when it stops."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from hypothesis import given as for_all
from hypothesis import strategies as st

from slicewire.allocator.core.attempt import Question
from slicewire.allocator.core.faults import Fault
from slicewire.allocator.core.features import DEFAULT
from slicewire.allocator.core.requests import Demand, read
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.allocator.core.solver import Allowance, Solution, solve
from slicewire.common.model import ResourceClaim
from tests.builders import (
    NODE,
    a_claim,
    a_gpu,
    a_pool,
    a_slice,
    a_snapshot,
    exactly,
)

LINK = "gpu.nvidia.com/link"


def asked(snapshot: Snapshot, *claims: ResourceClaim) -> Question:
    demand = read(claims, snapshot.classes, DEFAULT)
    assert isinstance(demand, Demand)
    return Question.of(demand, snapshot, NODE, DEFAULT)


def test_a_search_that_takes_too_long_gives_up_on_this_node() -> None:
    question = asked(a_snapshot(*a_pool(gpus=8)), a_claim(8))

    assert solve(question, Allowance(9)) == Fault("gave up after 9 steps on this node", node_only=True)
    assert isinstance(solve(question, Allowance(10)), Solution)


def test_steps_are_taken_from_one_allowance_for_all_nodes() -> None:
    question = asked(a_snapshot(*a_pool(gpus=8)), a_claim(8))
    allowance = Allowance(15)

    assert isinstance(solve(question, allowance), Solution)
    assert isinstance(solve(question, allowance), Fault)
    assert allowance.left == 0


def test_a_request_that_fits_nowhere_ends_a_long_search_early() -> None:
    claims = [a_claim(1, f"{at} == {at}", name=f"claim-{at}") for at in range(8)]
    impossible = a_claim(1, 'device.attributes["gpu.nvidia.com"].index == 99', name="last")
    allowance = Allowance()
    before = allowance.left

    assert solve(asked(a_snapshot(*a_pool(gpus=8)), *claims, impossible), allowance) is None
    assert before - allowance.left <= 1_000


def first_answer(links: list[str], counts: list[int], kind: str | None) -> list[int] | None:
    """The first full solution of the plainest possible search: every combination, request by request."""

    def serve(request: int, taken: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        if request == len(counts):
            yield taken
            return
        for chosen in combinations([at for at in range(len(links)) if at not in taken], counts[request]):
            seen = [links[at] for at in (*taken, *chosen)]
            if kind == "match" and len(set(seen)) > 1:
                continue
            if kind == "distinct" and len(set(seen)) < len(seen):
                continue
            yield from serve(request + 1, (*taken, *chosen))

    found = next(serve(0, ()), None)
    return None if found is None else list(found)


@for_all(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=6),
    st.lists(st.integers(1, 2), min_size=1, max_size=4),
    st.sampled_from([None, "match", "distinct"]),
)
def test_what_is_found_is_what_the_plainest_search_finds_first(
    links: list[str], counts: list[int], kind: str | None
) -> None:
    devices = [a_gpu(at, link=link) for at, link in enumerate(links)]
    requests = {f"r{at}": exactly(count) for at, count in enumerate(counts)}
    constraint = {kind: LINK} if kind else {}
    claim = a_claim(**requests, **constraint)  # type: ignore[arg-type]  # requests and constraints by name

    solution = solve(asked(a_snapshot(a_slice(devices)), claim))

    found = None
    if isinstance(solution, Solution):
        found = [int(pick.candidate.device.name.removeprefix("gpu-")) for pick in solution.picks]
    assert found == first_answer(links, counts, kind)
