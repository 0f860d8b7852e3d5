"""What a node becomes: a closure from a frame to a value, and the smallest of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slicewire.allocator.core.cel.faults import Failed, no_such_overload
from slicewire.allocator.core.cel.values import Frame, charge, kind_of

Run = Callable[[Frame], Any]


def constant(value: Any) -> Run:
    return lambda _: value


def charged(run: Run, cost: int) -> Run:
    """The step, and its cost once it is done."""

    def priced(frame: Frame) -> Any:
        value = run(frame)
        charge(frame, cost)
        return value

    return priced


def slot(index: int) -> Run:
    return lambda frame: frame[index]


def settled(operands: tuple[Run, ...], *, outcome: bool) -> Run:
    """`||` when the outcome is true, `&&` when it is false: any operand that is the outcome settles it,
    whatever went wrong in the others."""

    def run(frame: Frame) -> bool:
        fault: Failed | None = None
        for operand in operands:
            try:
                value: object = operand(frame)
            except Failed as failed:
                fault = fault or failed
                continue
            if value is outcome:
                return outcome
            if type(value) is not bool:
                fault = fault or no_such_overload("_||_" if outcome else "_&&_", kind_of(value))
        if fault is not None:
            raise fault
        return not outcome

    return run


def choice(condition: Run, then: Run, otherwise: Run) -> Run:
    def run(frame: Frame) -> Any:
        decided = condition(frame)
        if type(decided) is not bool:
            raise no_such_overload("_?_:_", kind_of(decided))
        return then(frame) if decided else otherwise(frame)

    return run
