"""RE2 patterns: `matches`, `find`, `findAll`. Linear in the text whatever the pattern."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2

from slicewire.allocator.core.cel.cost.prices import FINDING, MATCHING
from slicewire.allocator.core.cel.faults import Failed
from slicewire.allocator.core.cel.overload import overload

_MEMORY_OF_A_PATTERN = 2**20
_SHORT = 64
"""Published strings are no longer than this."""


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY_OF_A_PATTERN
    return options


_OPTIONS = _options()


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    try:
        return re2.compile(pattern, _OPTIONS)
    except (re2.error, UnicodeError) as error:
        raise Failed(f"invalid regular expression {pattern!r}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else ""
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)


def pattern_fault(pattern: str) -> str | None:
    """What is wrong with a pattern that is written out, found before it meets a text."""
    try:
        _compiled(pattern)
    except Failed as fault:
        return str(fault)
    return None


def _readable(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def matches(text: str, pattern: str) -> bool:
    """Thousands of devices have the same few product names: the answer for a short text is remembered."""
    return _remembered(text, pattern) if len(text) <= _SHORT else _searched(text, pattern)


def _searched(text: str, pattern: str) -> bool:
    return _compiled(pattern).search(_readable(text)) is not None


_remembered = lru_cache(maxsize=4096)(_searched)


def _find(text: str, pattern: str) -> str:
    match = _compiled(pattern).search(_readable(text))
    return "" if match is None else str(match[0])


def _find_all(text: str, pattern: str, limit: int = -1) -> tuple[str, ...]:
    """The matches from left to right. An empty match right after another is none, as in Go."""
    found: list[str] = []
    previous_end = -1
    for match in _compiled(pattern).finditer(_readable(text)):
        if 0 <= limit <= len(found):
            break
        if match.start() == match.end() == previous_end:
            continue
        previous_end = match.end()
        found.append(match[0])
    return tuple(found)


OVERLOADS = (
    overload("matches(string, string) -> bool", matches, MATCHING),
    overload("string.matches(string) -> bool", matches, MATCHING),
    overload("string.find(string) -> string", _find, FINDING),
    overload("string.findAll(string) -> list(string)", _find_all, FINDING),
    overload("string.findAll(string, int) -> list(string)", _find_all, FINDING),
)
