"""The life of a claim on its node, in one table. What is not in the table does not happen."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    """`Absent` is never written down: it is the state of a claim without an entry."""

    ABSENT = "Absent"
    STARTED = "PrepareStarted"
    COMPLETED = "PrepareCompleted"
    UNDOING = "UnprepareStarted"
    """Undone until nothing is left, whoever asks and however often it fails."""


class Move(StrEnum):
    RESERVE = "reserve"
    """The claim's devices are taken; nothing has been done to them."""
    COMPLETE = "complete"
    """The container runtime can use them."""
    UNDO = "undo"
    """A step failed, we were killed, or the claim is over."""
    REMOVE = "remove"
    """Nothing of the claim is left."""


TRANSITIONS: Mapping[tuple[State, Move], State] = {
    (State.ABSENT, Move.RESERVE): State.STARTED,
    (State.STARTED, Move.COMPLETE): State.COMPLETED,
    (State.COMPLETED, Move.COMPLETE): State.COMPLETED,
    (State.STARTED, Move.UNDO): State.UNDOING,
    (State.COMPLETED, Move.UNDO): State.UNDOING,
    (State.UNDOING, Move.UNDO): State.UNDOING,
    (State.UNDOING, Move.REMOVE): State.ABSENT,
}


class WrongMove(AssertionError):
    """A bug: a claim was led where the table does not lead."""


def after(state: State, move: Move) -> State:
    try:
        return TRANSITIONS[state, move]
    except KeyError:
        raise WrongMove(f"a claim that is {state} cannot {move}") from None
