"""The one table of a claim's life."""

from __future__ import annotations

import itertools

import pytest

from slicewire.node_prep.core.lifecycle import TRANSITIONS, State, Step, WrongStep, after


def test_a_claim_is_reserved_completed_and_removed() -> None:
    state = State.ABSENT
    seen = []
    for step in (Step.RESERVE, Step.COMPLETE, Step.REMOVE):
        state = after(state, step)
        seen.append(state)
    assert seen == [State.STARTED, State.COMPLETED, State.ABSENT]


def test_what_was_started_can_be_undone() -> None:
    assert after(State.STARTED, Step.REMOVE) is State.ABSENT


@pytest.mark.parametrize(
    ("state", "step"), [pair for pair in itertools.product(State, Step) if pair not in TRANSITIONS]
)
def test_what_is_not_in_the_table_does_not_happen(state: State, step: Step) -> None:
    with pytest.raises(WrongStep, match=f"a claim that is {state} cannot {step}"):
        after(state, step)


def test_from_every_state_there_is_a_way_to_nothing_left() -> None:
    for state in (State.STARTED, State.COMPLETED):
        assert TRANSITIONS[state, Step.REMOVE] is State.ABSENT
