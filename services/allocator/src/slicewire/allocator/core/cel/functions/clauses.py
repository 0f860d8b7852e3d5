"""The pattern of `format()`: text with clauses in it, and which kinds of argument each clause takes."""

from __future__ import annotations

import re
from typing import NamedTuple

from slicewire.allocator.core.cel.faults import Failed

_CLAUSE = re.compile(r"%(?:(?P<percent>%)|(?:\.(?P<precision>[0-9]{1,3}))?(?P<verb>[sdfebxXo]))|(?P<bad>%)")
_DECIMALS = 6

_WHOLE = frozenset({"int", "uint"})
_DECIMAL = frozenset({"double", "string"})
"""A string too: "NaN", "Infinity" and "-Infinity" are written as numbers."""
_HEXADECIMAL = _WHOLE | {"string", "bytes"}
_WRITABLE = (
    _WHOLE
    | {"bool", "double", "string", "bytes", "null", "type", "list", "map", "timestamp", "duration"}
)  # fmt: skip
_TAKEN = {
    "s": _WRITABLE,
    "d": _WHOLE,
    "f": _DECIMAL,
    "e": _DECIMAL,
    "b": _WHOLE | {"bool"},
    "o": _WHOLE,
    "x": _HEXADECIMAL,
    "X": _HEXADECIMAL,
}


class Clause(NamedTuple):
    """The text before it, then its verb; the last has no verb."""

    before: str
    verb: str = ""
    decimals: int = _DECIMALS


def clauses(pattern: str) -> list[Clause]:
    """All of the pattern, in order."""
    found = []
    text, done = "", 0
    for match in _CLAUSE.finditer(pattern):
        if match["bad"]:
            place = match.start()
            raise Failed(f"could not parse formatting clause at position {place} of the format string")
        text += pattern[done : match.start()]
        done = match.end()
        if match["percent"]:
            text += "%"
            continue
        precision = match["precision"]
        found.append(Clause(text, match["verb"], _DECIMALS if precision is None else int(precision)))
        text = ""
    return [*found, Clause(text + pattern[done:])]


def checked_clauses(pattern: str, count: int) -> list[Clause]:
    """The clauses, each with an argument, and no argument without one."""
    found = clauses(pattern)
    wanted = len(found) - 1
    if wanted > count:
        raise Failed(f"index {count} out of range: the format string has more clauses than arguments")
    if wanted < count:
        raise Failed(f"too many arguments supplied to string.format (expected {wanted}, got {count})")
    return found


def format_fault(pattern: str, kinds: tuple[str, ...]) -> str | None:
    """What is wrong with a call that is written out, by the static types of its arguments."""
    try:
        found = checked_clauses(pattern, len(kinds))
    except Failed as failed:
        return str(failed)
    for clause, kind in zip(found, kinds, strict=False):
        if kind != "dyn" and kind not in _TAKEN[clause.verb]:
            return f"error during formatting: %{clause.verb} cannot be used on {kind}"
    return None
