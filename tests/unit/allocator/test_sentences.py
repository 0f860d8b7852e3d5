"""The one line that a person reads."""

from __future__ import annotations

import pytest

from slicewire.allocator.core.faults import Fault
from slicewire.allocator.core.features import DEFAULT
from slicewire.allocator.core.requests import Demand, read
from slicewire.allocator.core.sentences import sentence, stock_of
from slicewire.allocator.core.survey import Refused, Survey
from slicewire.common.model import NodeName, ResourceClaim, Rule
from tests.builders import CLASS, NODE, a_claim, a_class, a_gpu, a_slice, a_snapshot

FREE = a_snapshot(a_slice(a_gpu(index) for index in range(8))).stock(NODE, DEFAULT).candidates


def demanded(*claims: ResourceClaim) -> Demand:
    demand = read(claims, {CLASS: a_class()}, DEFAULT)
    assert not isinstance(demand, Fault)
    return demand


EIGHT = demanded(a_claim(8))


def a_survey(
    node: str, matching: int, free: int, *refused: Refused, together: int | None = None, devices: int = 8
) -> Survey:
    return Survey(
        alternative=EIGHT.requests[0].alternatives[0],
        request=0,
        node=NodeName(node),
        devices=devices,
        matching=matching,
        free=FREE[:free],
        together=free if together is None else together,
        refused=tuple(each for each in refused if each is not APART),
        apart=tuple(each for each in refused if each is APART),
    )


MISMATCH = Refused(Rule.REQUEST_SELECTOR, "selector #0: x is false")
APART = Refused(Rule.CONSTRAINT, "link differs from that of the others")
BUSY = Refused(Rule.IN_USE, "in use by claim default/other")


@pytest.mark.parametrize(
    ("survey", "words"),
    [
        (a_survey("a", 8, 3), "8 that match, 3 of them free"),
        (a_survey("a", 8, 0, MISMATCH, BUSY), f"8 that match, none of them free: {BUSY.message}"),
        (a_survey("a", 0, 0, MISMATCH), f"8 devices, none of which match: {MISMATCH.message}"),
        (a_survey("a", 0, 0, devices=0), "no devices"),
        (
            a_survey("a", 8, 8, APART, together=4),
            f"8 that match, 8 of them free, but only 4 that go together: {APART.message}",
        ),
    ],
)
def test_what_a_node_has_is_said_in_the_words_that_matter_most(survey: Survey, words: str) -> None:
    assert stock_of(survey) == words
    assert sentence(EIGHT, [survey], tried("a")) == (
        f"claim default/train asks for 8 devices of class gpu.nvidia.com; a has {words}"
    )


@pytest.mark.parametrize(
    ("surveys", "words"),
    [
        (
            [a_survey("a", 8, 6), a_survey("b", 8, 7)],
            "13 are free on 2 nodes, but none has 8; the best, b, has 7",
        ),
        (
            [a_survey("a", 8, 1), a_survey("b", 8, 0)],
            "1 is free on 2 nodes, but none has 8; the best, a, has 1",
        ),
        ([a_survey("a", 8, 0), a_survey("b", 6, 0)], "14 match on 2 nodes, none of them free"),
        (
            [a_survey("a", 0, 0, MISMATCH), a_survey("b", 0, 0, MISMATCH)],
            f"none of the 16 devices on 2 nodes match: {MISMATCH.message}",
        ),
        (
            [a_survey("a", 8, 8, APART, together=4), a_survey("b", 8, 8, APART, together=5)],
            f"16 are free on 2 nodes, but none has 8 that go together; the best, b, has 5: {APART.message}",
        ),
        ([a_survey("b", 8, 7)], "7 are free on the 1 node nearest to it, but none has 8; the best, b, has 7"),
    ],
)
def test_a_fleet_is_summed_up_with_its_best_node(surveys: list[Survey], words: str) -> None:
    assert sentence(EIGHT, surveys, tried("a", "b")) == (
        f"claim default/train asks for 8 devices of class gpu.nvidia.com; {words}"
    )


def test_what_stopped_the_search_is_said_where_it_was_not_the_devices() -> None:
    both = demanded(a_claim(1, name="x"), a_claim(1, name="y"))
    gave_up = {NodeName("a"): None, NodeName("b"): Fault("gave up", node_only=True)}

    assert sentence(EIGHT, [], {}) == (
        "claim default/train cannot be placed: there are no nodes to choose from"
    )
    assert sentence(both, [], gave_up) == "claims default/x, default/y cannot be placed: gave up"
    assert sentence(both, [], tried("a")).endswith("the requests are in each other's way")


def tried(*nodes: str) -> dict[NodeName, Fault | None]:
    return {NodeName(node): None for node in nodes}
