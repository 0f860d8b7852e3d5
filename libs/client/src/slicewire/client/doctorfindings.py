"""What `slicewire doctor` found: how bad it is, what it means, and what to do next. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec

_NAMED = 5


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    ERROR = "error"


class Finding(msgspec.Struct, frozen=True):
    level: Level
    about: str
    what: str
    meaning: str = ""
    do: str = ""


def fine(about: str, what: str) -> Finding:
    return Finding(Level.OK, about, what)


def warn(about: str, what: str, meaning: str, do: str) -> Finding:
    return Finding(Level.WARN, about, what, meaning, do)


def error(about: str, what: str, meaning: str, do: str) -> Finding:
    return Finding(Level.ERROR, about, what, meaning, do)


def is_ill(found: Iterable[Finding]) -> bool:
    return any(one.level is Level.ERROR for one in found)


def named(names: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def counted(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def ago(seconds: float) -> str:
    """Roughly, as people say it."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"
