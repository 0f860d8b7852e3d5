"""`+ - * / % -x !x`: 64-bit numbers that overflow into an error, never into a number; times likewise."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from slicewire.allocator.core.cel.cost.prices import CONCATENATION
from slicewire.allocator.core.cel.faults import Failed
from slicewire.allocator.core.cel.functions.growth import grow
from slicewire.allocator.core.cel.overload import Overload, overload
from slicewire.allocator.core.cel.values import INT_MAX, INT_MIN, UINT_MAX, Duration, Timestamp, UInt

EARLIEST = -62135596800 * 10**9
LATEST = 253402300800 * 10**9 - 1


def int_in_range(value: int) -> int:
    if not INT_MIN <= value <= INT_MAX:
        raise Failed("integer overflow")
    return value


def uint_in_range(value: int) -> UInt:
    if not 0 <= value <= UINT_MAX:
        raise Failed("unsigned integer overflow")
    return UInt(value)


def duration_of(nanoseconds: int) -> Duration:
    return Duration(int_in_range(nanoseconds))


def timestamp_of(nanoseconds: int) -> Timestamp:
    if not EARLIEST <= nanoseconds <= LATEST:
        raise Failed("timestamp overflow")
    return Timestamp(nanoseconds)


def _divided(left: int, right: int) -> int:
    """Towards zero, as Go divides."""
    if not right:
        raise Failed("division by zero")
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _remainder(left: int, right: int) -> int:
    """With the sign of the left, as Go has it."""
    if not right:
        raise Failed("modulus by zero")
    remainder = abs(left) % abs(right)
    return -remainder if left < 0 else remainder


def _double_divided(left: float, right: float) -> float:
    if right:
        return left / right
    if left == 0 or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def _checked(
    calculate: Callable[[int, int], int], in_range: Callable[[int], Any]
) -> Callable[[int, int], Any]:
    return lambda left, right: in_range(calculate(int(left), int(right)))


_WHOLE = (
    ("+", operator.add),
    ("-", operator.sub),
    ("*", operator.mul),
    ("/", _divided),
    ("%", _remainder),
)
_DOUBLE = (
    ("+", operator.add),
    ("-", operator.sub),
    ("*", operator.mul),
    ("/", _double_divided),
)


def _numbers() -> list[Overload]:
    found = []
    for mark, calculate in _WHOLE:
        found.append(overload(f"_{mark}_(int, int) -> int", _checked(calculate, int_in_range)))
        found.append(overload(f"_{mark}_(uint, uint) -> uint", _checked(calculate, uint_in_range)))
    found.extend(overload(f"_{mark}_(double, double) -> double", run) for mark, run in _DOUBLE)
    return found


def _joined(frame: Any, left: Any, right: Any) -> Any:
    grow(frame, len(left) + len(right))
    return left + right


def _shifted(sign: int) -> Callable[[Timestamp, Duration], Timestamp]:
    return lambda when, by: timestamp_of(when.nanoseconds + sign * by.nanoseconds)


OVERLOADS = (
    *_numbers(),
    overload("_+_(string, string) -> string", _joined, CONCATENATION, pays=True),
    overload("_+_(bytes, bytes) -> bytes", _joined, CONCATENATION, pays=True),
    overload("_+_(duration, duration) -> duration", lambda a, b: duration_of(a.nanoseconds + b.nanoseconds)),
    overload("_+_(duration, timestamp) -> timestamp", lambda by, when: _shifted(1)(when, by)),
    overload("_+_(timestamp, duration) -> timestamp", _shifted(1)),
    overload("_-_(duration, duration) -> duration", lambda a, b: duration_of(a.nanoseconds - b.nanoseconds)),
    overload("_-_(timestamp, duration) -> timestamp", _shifted(-1)),
    overload(
        "_-_(timestamp, timestamp) -> duration", lambda a, b: duration_of(a.nanoseconds - b.nanoseconds)
    ),
    overload("-_(int) -> int", lambda value: int_in_range(-value)),
    overload("-_(double) -> double", operator.neg),
    overload("!_(bool) -> bool", operator.not_),
)
