"""`"%s has %d".format([name, count])`: clauses `%s %d %f %e %b %x %X %o %%`, numbers as en_US writes them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from slicewire.allocator.core.cel.cost.prices import AFFIX, Price, traversal
from slicewire.allocator.core.cel.faults import Failed
from slicewire.allocator.core.cel.functions.clauses import Clause, checked_clauses
from slicewire.allocator.core.cel.functions.conversions import text_of
from slicewire.allocator.core.cel.functions.growth import grow
from slicewire.allocator.core.cel.functions.strings import quoted
from slicewire.allocator.core.cel.overload import overload
from slicewire.allocator.core.cel.values import (
    DEEPEST_VALUE,
    Duration,
    Frame,
    Timestamp,
    TypeName,
    kind_of,
    value_of_key,
)

_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_NAMED_NUMBERS = frozenset({"NaN", "Infinity", "-Infinity"})
_MOST_DECIMALS = 340


def _format(frame: Frame, pattern: str, arguments: tuple[Any, ...]) -> str:
    """The pattern with each clause replaced by its argument."""
    writer = _Writer(frame)
    *filled, last = checked_clauses(pattern, len(arguments))
    for clause, argument in zip(filled, arguments, strict=True):
        writer.write(clause.before)
        writer.clause(clause, argument)
    writer.write(last.before)
    return writer.text()


class _Writer:
    """Collects the result and pays for it as it grows."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._parts: list[str] = []
        self._size = 0
        self._paid = 0

    def text(self) -> str:
        return "".join(self._parts)

    def write(self, text: str) -> None:
        self._parts.append(text)
        self._size += len(text) + 1
        if self._size > 2 * self._paid + 64:
            self._paid = self._size
            grow(self._frame, self._size)

    def clause(self, clause: Clause, value: Any) -> None:
        if clause.verb == "s":
            self._value(value, 0)
        else:
            self.write(_number(clause.verb, clause.decimals, value))

    def _value(self, value: Any, depth: int) -> None:
        if depth > DEEPEST_VALUE:
            raise Failed(f"values nested deeper than {DEEPEST_VALUE} cannot be formatted")
        if type(value) is tuple:
            self._sequence("[", "]", [(None, item) for item in value], depth)
        elif isinstance(value, dict):
            entries = [(_inside(value_of_key(key)), item) for key, item in value.items()]
            self._sequence("{", "}", sorted(entries, key=lambda entry: entry[0]), depth)
        else:
            self.write(_inside(value) if depth else _alone(value))

    def _sequence(self, opening: str, closing: str, entries: list[tuple[Any, Any]], depth: int) -> None:
        self.write(opening)
        for index, (key, item) in enumerate(entries):
            self.write(", " if index else "")
            self.write("" if key is None else f"{key}:")
            self._value(item, depth + 1)
        self.write(closing)


def _alone(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool | int | float | str | bytes | Timestamp | Duration | TypeName):
        return text_of(value)
    raise Failed(f"error during formatting: string clause cannot be used on {kind_of(value)}")


def _literal_double(value: float) -> str:
    return f"{value:.6f}" if math.isfinite(value) else f'"{text_of(value)}"'


_LITERALS: dict[type, Callable[[Any], str]] = {
    str: quoted,
    bytes: lambda value: f"b{quoted(value.decode('utf-8', 'replace'))}",
    float: _literal_double,
    Timestamp: lambda value: f'timestamp("{text_of(value)}")',
    Duration: lambda value: f'duration("{text_of(value)}")',
}


def _inside(value: Any) -> str:
    """A value within a list or map, written as a literal."""
    return _LITERALS.get(type(value), _alone)(value)


def _number(verb: str, decimals: int, value: Any) -> str:
    whole = isinstance(value, int) and type(value) is not bool
    if verb == "d" and whole:
        return str(int(value))
    if verb in {"f", "e"}:
        return _decimal(verb, decimals, value)
    if verb in {"x", "X"} and isinstance(value, str | bytes):
        digits = (value.encode("utf-8", "replace") if isinstance(value, str) else value).hex()
        return digits.upper() if verb == "X" else digits
    if verb == "b" and type(value) is bool:
        return str(int(value))
    if verb in {"b", "x", "X", "o"} and whole:
        return format(int(value), verb)
    raise Failed(f"error during formatting: %{verb} cannot be used on {kind_of(value)}")


def _decimal(verb: str, decimals: int, value: Any) -> str:
    if type(value) is str and value in _NAMED_NUMBERS:
        value = float(value)
    if type(value) is not float:
        raise Failed(f"error during formatting: %{verb} takes a double, not {kind_of(value)}")
    if decimals > _MOST_DECIMALS:
        raise Failed(f"a precision of {decimals} is more than {_MOST_DECIMALS} decimals")
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "-∞"
    if verb == "f":
        return f"{value:,.{decimals}f}"
    mantissa, _, power = f"{value:.{decimals}e}".partition("e")
    exponent = f"{int(power):03d}" if int(power) < 0 else f"{int(power):02d}"
    return f"{mantissa}\u202f\u00d7\u202f10{exponent.translate(_SUPERSCRIPT)}"


OVERLOADS = (
    overload(
        "string.format(list(dyn)) -> string", _format, Price(traversal().estimate, AFFIX.charge), pays=True
    ),
)
