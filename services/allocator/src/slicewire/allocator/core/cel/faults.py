"""What can go wrong with a selector: values for callers, exceptions only between the engine's own modules."""

from __future__ import annotations

import msgspec


class CompileFault(msgspec.Struct, frozen=True):
    """The expression is refused before it meets a device; `message` ends with the place, counted from 1."""

    message: str
    line: int
    column: int


class EvaluationFault(msgspec.Struct, frozen=True):
    """The expression has no answer for this device."""

    message: str


class Rejected(Exception):
    """Found while compiling, at this offset of the source."""

    def __init__(self, text: str, at: int) -> None:
        super().__init__(text)
        self.text = text
        self.at = at

    def located(self, source: str) -> CompileFault:
        at = min(self.at, len(source))
        line = source.count("\n", 0, at) + 1
        column = at - source.rfind("\n", 0, at)
        return CompileFault(f"{self.text} (line {line}, column {column})", line, column)


class Failed(Exception):
    """Found while evaluating. `&&`, `||`, `all` and `exists` may absorb it."""


class BudgetSpent(Exception):
    """The evaluation cost more than it may. Nothing absorbs it."""


def no_such_overload(function: str, *kinds: str) -> Failed:
    return Failed(f"no such overload: {function}({', '.join(kinds)})")
