"""Quantities as the API server writes them back: `1024Mi` becomes `1Gi`, `1000` becomes `1k`.

Written apart from Slicewire's own quantities on purpose: what checks a program should not be that program.
"""

from __future__ import annotations

import re
from fractions import Fraction

_GRAMMAR = re.compile(r"([+-]?)(\d+\.?\d*|\.\d+)(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?\d{1,3})?")
_BINARY = {
    suffix: Fraction(1024) ** power for power, suffix in enumerate(("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"))
}
_DECIMAL = {
    suffix: 3 * step for step, suffix in enumerate(("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), -3)
}
_NANO = 10**9


class NotAQuantity(ValueError):
    """The text does not follow the quantity grammar."""


def amount(text: str) -> Fraction:
    """Exactly how much; finer than a nano is rounded away from zero."""
    match = _GRAMMAR.fullmatch(text)
    if match is None:
        raise NotAQuantity(text)
    sign, digits, suffix = match[1], Fraction(match[2].rstrip(".")), match[3] or ""
    nanos = -((-digits * _scale(suffix) * _NANO) // 1)
    return Fraction(-nanos if sign == "-" else nanos, _NANO)


def canonical(text: str) -> str:
    """The same amount in the server's notation, which keeps the family of suffixes it came in."""
    value = amount(text)
    suffix = re.sub(r"^[+-]?[\d.]+", "", text)
    if suffix.endswith("i") and value.denominator == 1 and abs(value) >= 1024:
        return _largest_exact(value, _BINARY)
    if suffix[:1] in {"e", "E"} and len(suffix) > 1:
        return _with_exponent(value)
    return _largest_exact(value, {name: Fraction(10) ** power for name, power in _DECIMAL.items()})


def _scale(suffix: str) -> Fraction:
    if suffix in _BINARY:
        return _BINARY[suffix]
    if suffix in _DECIMAL:
        return Fraction(10) ** _DECIMAL[suffix]
    return Fraction(10) ** int(suffix[1:])


def _largest_exact(value: Fraction, scales: dict[str, Fraction]) -> str:
    if value == 0:
        return "0"
    for suffix, scale in reversed(scales.items()):
        if (value / scale).denominator == 1:
            return f"{value / scale}{suffix}"
    raise NotAQuantity(str(value))


def _with_exponent(value: Fraction) -> str:
    for power in range(18, -10, -3):
        if value and (value / Fraction(10) ** power).denominator == 1:
            return f"{value / Fraction(10) ** power}" + (f"e{power}" if power else "")
    return "0"
