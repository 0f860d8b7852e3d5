"""Texts: the standard functions and the extended ones. Positions count characters, not bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slicewire.allocator.core.cel.cost.prices import (
    AFFIX,
    CONTAINING,
    QUOTE,
    TEXT_SEARCH,
    Estimate,
    Operand,
    Price,
    traversal,
)
from slicewire.allocator.core.cel.cost.ranges import PER_CHARACTER, Size, exactly, saturated, scaled
from slicewire.allocator.core.cel.faults import Failed
from slicewire.allocator.core.cel.functions.growth import grow
from slicewire.allocator.core.cel.overload import overload
from slicewire.allocator.core.cel.values import Frame, kind_of, size_of

_UPPER = str.maketrans("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""White space as Unicode has it."""
_QUOTED = str.maketrans(
    {
        "\a": "\\a",
        "\b": "\\b",
        "\f": "\\f",
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "\v": "\\v",
        "\\": "\\\\",
        '"': '\\"',
    }
)


def quoted(text: str) -> str:
    """As CEL would write the text."""
    return f'"{text.translate(_QUOTED)}"'


def _out_of_range(index: int) -> Failed:
    return Failed(f"index out of range: {index}")


def _char_at(text: str, index: int) -> str:
    if not 0 <= index <= len(text):
        raise _out_of_range(index)
    return text[index : index + 1]


def _index_of(text: str, part: str, offset: int = 0) -> int:
    if offset < 0:
        raise _out_of_range(offset)
    if not part:
        return min(offset, len(text))
    return text.find(part, offset)


def _last_index_of(text: str, part: str, offset: int | None = None) -> int:
    if offset is None:
        return text.rfind(part)
    if offset < 0:
        raise _out_of_range(offset)
    if not part:
        return min(offset, len(text))
    return -1 if offset >= len(text) else text.rfind(part, 0, offset + len(part))


def _substring(text: str, start: int, end: int | None = None) -> str:
    if end is not None and start > end:
        raise Failed(f"invalid substring range. start: {start}, end: {end}")
    for index in (start, len(text) if end is None else end):
        if not 0 <= index <= len(text):
            raise _out_of_range(index)
    return text[start:end]


def _replace(frame: Frame, text: str, old: str, new: str, limit: int = -1) -> str:
    found = text.count(old)
    times = found if limit < 0 else min(found, limit)
    grow(frame, max(len(text) + times * (len(new) - len(old)), 0))
    return text.replace(old, new, limit if limit >= 0 else -1)


def _split(text: str, separator: str, limit: int = -1) -> tuple[str, ...]:
    if limit == 0:
        return ()
    if separator:
        return tuple(text.split(separator, limit - 1 if limit > 0 else -1))
    if limit < 0 or limit >= len(text):
        return tuple(text)
    return (*text[: limit - 1], text[limit - 1 :])


def _join(frame: Frame, items: tuple[Any, ...], separator: str = "") -> str:
    for item in items:
        if type(item) is not str:
            raise Failed(f"join: invalid input: a {kind_of(item)} in the list")
    grow(frame, sum(map(len, items)) + len(separator) * max(len(items) - 1, 0))
    return separator.join(items)


def _replaced_size(operands: tuple[Operand, ...]) -> Estimate:
    """The fewest and the most characters a replacement can leave, by how often it can happen."""
    text, old, new = (operand.size for operand in operands[:3])
    if old.least == 0:
        most = saturated((text.most + 1) * new.most + text.most)
    elif new.most <= old.least:
        most = text.most
    else:
        most = saturated(-(-text.most // old.least) * new.most)
    if old.most == 0:
        least = saturated((text.least + 1) * new.least + text.least)
    elif old.most <= new.least:
        least = text.least
    else:
        least = saturated(-(-text.least // old.most) * new.least)
    return Estimate(scaled(text.most, 2 * PER_CHARACTER), Size(least, most))


def _split_size(operands: tuple[Operand, ...]) -> Estimate:
    text = operands[0].size
    limit = operands[2].literal if len(operands) > 2 else None
    most = limit if type(limit) is int and limit >= 0 else text.most
    return Estimate(scaled(text.most, 2 * PER_CHARACTER), Size(0, most))


def _joined_size(operands: tuple[Operand, ...]) -> Estimate:
    items = operands[0].size
    size = exactly(0) if operands[0].item is None else items.times(operands[0].item)
    if len(operands) > 1:
        between = Size(max(items.least - 1, 0), max(items.most - 1, 0))
        size = size.plus(operands[1].size.times(between))
    return Estimate(scaled(size.most, PER_CHARACTER), size)


_TWICE: Callable[..., int] = traversal(times=2).charge
_REPLACE, _SPLIT = Price(_replaced_size, _TWICE), Price(_split_size, _TWICE)
_JOIN = Price(_joined_size, lambda _, result: scaled(size_of(result), 2 * PER_CHARACTER), by_result=True)
_REWRITE = traversal(keeps_size=True)

OVERLOADS = (
    overload("string.contains(string) -> bool", lambda text, part: part in text, CONTAINING),
    overload("string.startsWith(string) -> bool", str.startswith, AFFIX),
    overload("string.endsWith(string) -> bool", str.endswith, AFFIX),
    overload("string.charAt(int) -> string", _char_at),
    overload("string.indexOf(string) -> int", _index_of, TEXT_SEARCH),
    overload("string.indexOf(string, int) -> int", _index_of, TEXT_SEARCH),
    overload("string.lastIndexOf(string) -> int", _last_index_of, TEXT_SEARCH),
    overload("string.lastIndexOf(string, int) -> int", _last_index_of, TEXT_SEARCH),
    overload("string.lowerAscii() -> string", lambda text: text.translate(_LOWER), _REWRITE),
    overload("string.upperAscii() -> string", lambda text: text.translate(_UPPER), _REWRITE),
    overload("string.trim() -> string", lambda text: text.strip(_SPACE), _REWRITE),
    overload("string.substring(int) -> string", _substring, _REWRITE),
    overload("string.substring(int, int) -> string", _substring, _REWRITE),
    overload("string.replace(string, string) -> string", _replace, _REPLACE, pays=True),
    overload("string.replace(string, string, int) -> string", _replace, _REPLACE, pays=True),
    overload("string.split(string) -> list(string)", _split, _SPLIT),
    overload("string.split(string, int) -> list(string)", _split, _SPLIT),
    overload("list(string).join() -> string", _join, _JOIN, pays=True),
    overload("list(string).join(string) -> string", _join, _JOIN, pays=True),
    overload("strings.quote(string) -> string", quoted, QUOTE),
)
