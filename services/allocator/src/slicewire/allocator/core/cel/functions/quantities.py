"""Kubernetes quantities: exact, compared with functions, never with `<`."""

from __future__ import annotations

from slicewire.allocator.core.cel.cost.prices import traversal
from slicewire.allocator.core.cel.faults import Failed
from slicewire.allocator.core.cel.overload import overload
from slicewire.allocator.core.cel.values import INT_MAX, INT_MIN
from slicewire.common.model import Quantity

_LONGEST = 1024
"""Reading a text takes time that grows faster than its length; no quantity is nearly this long."""


def _quantity(text: str) -> Quantity:
    if len(text) > _LONGEST:
        raise Failed(f"cannot parse quantity: longer than {_LONGEST} characters")
    try:
        return Quantity(text)
    except ValueError as error:
        raise Failed(f"cannot parse quantity: {error}") from None


def _is_quantity(text: str) -> bool:
    try:
        _quantity(text)
    except Failed:
        return False
    return True


def _is_integer(quantity: Quantity) -> bool:
    return isinstance(quantity.value, int) and INT_MIN <= quantity.value <= INT_MAX


def _as_integer(quantity: Quantity) -> int:
    if not _is_integer(quantity):
        raise Failed("cannot convert value to integer")
    return int(quantity.value)


def _compared(left: Quantity, right: Quantity) -> int:
    return (left.value > right.value) - (left.value < right.value)


def _approximate(quantity: Quantity) -> float:
    try:
        return float(quantity.value)
    except OverflowError:
        return float("inf") if quantity.value > 0 else float("-inf")


OVERLOADS = (
    overload("quantity(string) -> Quantity", _quantity, traversal()),
    overload("isQuantity(string) -> bool", _is_quantity, traversal()),
    overload("sign(Quantity) -> int", lambda quantity: (quantity.value > 0) - (quantity.value < 0)),
    overload("Quantity.isGreaterThan(Quantity) -> bool", lambda left, right: left.value > right.value),
    overload("Quantity.isLessThan(Quantity) -> bool", lambda left, right: left.value < right.value),
    overload("Quantity.compareTo(Quantity) -> int", _compared),
    overload("Quantity.asApproximateFloat() -> double", _approximate),
    overload("Quantity.asInteger() -> int", _as_integer),
    overload("Quantity.isInteger() -> bool", _is_integer),
    overload("Quantity.add(Quantity) -> Quantity", lambda left, right: Quantity.of(left.value + right.value)),
    overload("Quantity.add(int) -> Quantity", lambda left, right: Quantity.of(left.value + right)),
    overload("Quantity.sub(Quantity) -> Quantity", lambda left, right: Quantity.of(left.value - right.value)),
    overload("Quantity.sub(int) -> Quantity", lambda left, right: Quantity.of(left.value - right)),
)
