"""The one table of a claim's life."""

from __future__ import annotations

import itertools

import pytest

from slicewire.node_prep.core.lifecycle import TRANSITIONS, Move, State, WrongMove, after


def test_a_claim_is_reserved_completed_undone_and_removed() -> None:
    state = State.ABSENT
    seen = []
    for move in (Move.RESERVE, Move.COMPLETE, Move.UNDO, Move.REMOVE):
        state = after(state, move)
        seen.append(state)
    assert seen == [State.STARTED, State.COMPLETED, State.UNDOING, State.ABSENT]


def test_what_was_only_started_can_be_undone_and_undoing_tried_again() -> None:
    assert after(State.STARTED, Move.UNDO) is State.UNDOING
    assert after(State.UNDOING, Move.UNDO) is State.UNDOING


def test_what_is_undone_is_never_completed_after_all() -> None:
    assert (State.UNDOING, Move.COMPLETE) not in TRANSITIONS


@pytest.mark.parametrize(
    ("state", "move"), [pair for pair in itertools.product(State, Move) if pair not in TRANSITIONS]
)
def test_what_is_not_in_the_table_does_not_happen(state: State, move: Move) -> None:
    with pytest.raises(WrongMove, match=f"a claim that is {state} cannot {move}"):
        after(state, move)


def test_from_every_state_there_is_a_way_to_nothing_left() -> None:
    for state in (State.STARTED, State.COMPLETED, State.UNDOING):
        assert after(after(state, Move.UNDO), Move.REMOVE) is State.ABSENT
