"""Kubernetes quantities, exact: never a float.

The grammar is that of `apimachinery/pkg/api/resource.Quantity`: a signed decimal number with a
binary suffix (`Ki` … `Ei`), a decimal one (`n u m k M G T P E`) or an exponent (`e3`, `E-2`).
Finer than a nano is rounded away from zero to a nano, as Kubernetes does.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache, total_ordering

_GRAMMAR = re.compile(
    r"(?P<sign>[+-]?)(?P<number>[0-9]+\.?[0-9]*|\.[0-9]+)(?:(?P<suffix>[KMGTPE]i|[numkMGTPE])|[eE](?P<exponent>[+-]?[0-9]{1,3}))?"
)
_BINARY = {suffix: 1 << (10 * power) for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)}
_DECIMAL = {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18}
_SMALL = {"n": 10**9, "u": 10**6, "m": 10**3}
_NANO = 10**9
_LONGEST = 1024
"""Characters of one quantity. Python stops reading numbers at 4300 digits, in words of its own."""


class BadQuantity(ValueError):
    """The text is not a Kubernetes quantity."""


@total_ordering
class Quantity:
    """An exact amount. Equal when the amounts are equal, whatever the notation.

    `value` is an `int` where the amount is whole, else a `Fraction`; `text` is how it was written.
    """

    __slots__ = ("text", "value")

    value: int | Fraction
    text: str

    def __init__(self, text: str | int) -> None:
        self.text = str(text)
        self.value = text if type(text) is int else _parse(self.text)

    @classmethod
    def of(cls, value: int | Fraction) -> Quantity:
        """A quantity of this amount, written canonically."""
        made = cls.__new__(cls)
        made.value = int(value) if value.denominator == 1 else value
        made.text = canonical(made.value)
        return made

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quantity) and self.value == other.value

    def __lt__(self, other: Quantity) -> bool:
        return self.value < other.value

    def __hash__(self) -> int:
        return hash(self.value)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Quantity({self.text!r})"


@lru_cache(maxsize=4096)
def _parse(text: str) -> int | Fraction:
    if len(text) > _LONGEST:
        raise BadQuantity(f"{text[:20]}… is not a quantity: it is longer than {_LONGEST} characters")
    match = _GRAMMAR.fullmatch(text)
    if match is None:
        raise BadQuantity(
            f"{text!r} is not a quantity: a number, then one of Ki Mi Gi Ti Pi Ei n u m k M G T P E"
        )
    number = Fraction(match["number"])
    suffix, exponent = match["suffix"], match["exponent"]
    if suffix in _SMALL:
        number /= _SMALL[suffix]
    elif suffix:
        number *= _BINARY.get(suffix) or _DECIMAL[suffix]
    elif exponent:
        number *= Fraction(10) ** int(exponent)
    if _NANO % number.denominator:
        number = Fraction(-((-number.numerator * _NANO) // number.denominator), _NANO)
    if match["sign"] == "-":
        number = -number
    return int(number) if number.denominator == 1 else number


def canonical(value: int | Fraction) -> str:
    """The shortest exact notation: whole binary multiples as `Ki…Ei`, else decimal, else nano."""
    assert _NANO % value.denominator == 0, f"{value} is finer than a nano"
    if value.denominator != 1:
        for suffix, scale in (("m", 10**3), ("u", 10**6), ("n", _NANO)):
            if (scaled := value * scale).denominator == 1:
                return f"{int(scaled)}{suffix}"
    whole = int(value)
    for suffix in ("Ei", "Pi", "Ti", "Gi", "Mi", "Ki"):
        if whole and whole % _BINARY[suffix] == 0:
            return f"{whole // _BINARY[suffix]}{suffix}"
    return str(whole)
