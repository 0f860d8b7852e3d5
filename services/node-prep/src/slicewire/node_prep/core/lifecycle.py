"""The life of a claim on its node, in one table. What is not in the table does not happen."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    """`Absent` is never written down: it is the state of a claim without an entry."""

    ABSENT = "Absent"
    STARTED = "PrepareStarted"
    COMPLETED = "PrepareCompleted"


class Step(StrEnum):
    RESERVE = "reserve"
    """The claim's devices are taken; nothing has been done to them."""
    COMPLETE = "complete"
    """The container runtime can use them."""
    REMOVE = "remove"
    """Nothing of the claim is left: undone after a failure or a crash, or unprepared."""


TRANSITIONS: Mapping[tuple[State, Step], State] = {
    (State.ABSENT, Step.RESERVE): State.STARTED,
    (State.STARTED, Step.COMPLETE): State.COMPLETED,
    (State.STARTED, Step.REMOVE): State.ABSENT,
    (State.COMPLETED, Step.REMOVE): State.ABSENT,
}


class WrongStep(AssertionError):
    """A bug: a claim was led where the table does not lead."""


def after(state: State, step: Step) -> State:
    try:
        return TRANSITIONS[state, step]
    except KeyError:
        raise WrongStep(f"a claim that is {state} cannot {step}") from None
