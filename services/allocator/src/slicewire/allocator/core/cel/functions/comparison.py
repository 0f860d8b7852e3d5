"""`== != < <= > >=` and `in`. Numbers compare across their types; everything else only with its own kind."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from slicewire.allocator.core.cel.cost.prices import COMPARISON, EQUALITY, MEMBERSHIP, NOMINAL
from slicewire.allocator.core.cel.faults import Failed, no_such_overload
from slicewire.allocator.core.cel.overload import Overload, overload
from slicewire.allocator.core.cel.values import (
    NUMBERS,
    Duration,
    Frame,
    Timestamp,
    contains,
    equals,
    key_of,
    kind_of,
)

Comparison = Callable[[Any, Any], bool]

_ORDERED = frozenset({bool, str, bytes, Timestamp, Duration})


def compared(mark: str, compare: Comparison) -> Comparison:
    """The comparison for any two values, refusing those that have no order."""

    def run(left: Any, right: Any) -> bool:
        kind, other = type(left), type(right)
        if kind is float or other is float:
            if kind in NUMBERS and other in NUMBERS and (math.isnan(left) or math.isnan(right)):
                raise Failed("NaN values cannot be ordered")
        elif kind is other and kind in _ORDERED:
            return compare(left, right)
        if kind in NUMBERS and other in NUMBERS:
            return compare(left, right)
        raise no_such_overload(f"_{mark}_", kind_of(left), kind_of(right))

    return run


BY_MARK: dict[str, Comparison] = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
ORDERINGS = {mark: compared(mark, compare) for mark, compare in BY_MARK.items()}
_NUMBER_KINDS = ("int", "uint", "double")


def _orderings() -> list[Overload]:
    found: list[Overload] = []
    for mark, run in ORDERINGS.items():
        found.extend(
            overload(f"_{mark}_({one}, {other}) -> bool", run)
            for one in _NUMBER_KINDS
            for other in _NUMBER_KINDS
        )
        found.extend(
            overload(f"_{mark}_({kind}, {kind}) -> bool", run) for kind in ("bool", "timestamp", "duration")
        )
        found.extend(
            overload(f"_{mark}_({kind}, {kind}) -> bool", run, COMPARISON) for kind in ("string", "bytes")
        )
    return found


_OWN_KIND_ONLY = frozenset(
    {
        "kubernetes.Quantity",
        "kubernetes.Semver",
        "kubernetes.URL",
        "kubernetes.NamedFormat",
        "net.IP",
        "net.CIDR",
    }
)
"""`==` between one of these on the left and anything else is an error, not false; `!=` is plainly true."""


def refuse_other_kind(left: Any, right: Any) -> None:
    if type(left) is type(right) or right is None or kind_of(left) not in _OWN_KIND_ONLY:
        return
    if kind_of(left) != kind_of(right):
        raise no_such_overload("_==_", kind_of(left), kind_of(right))


def _equal(frame: Frame, left: Any, right: Any) -> bool:
    refuse_other_kind(left, right)
    return equals(left, right, frame)


def _unequal(frame: Frame, left: Any, right: Any) -> bool:
    return not equals(left, right, frame)


def _in_list(frame: Frame, wanted: Any, items: tuple[Any, ...]) -> bool:
    return contains(items, wanted, frame)


def _in_map(wanted: Any, mapping: dict[Any, Any]) -> bool:
    return key_of(wanted) in mapping


OVERLOADS = (
    overload("_==_(A, A) -> bool", _equal, EQUALITY, pays=True),
    overload("_!=_(A, A) -> bool", _unequal, COMPARISON, pays=True),
    *_orderings(),
    overload("@in(A, list(A)) -> bool", _in_list, MEMBERSHIP, pays=True),
    overload("@in(A, map(A, B)) -> bool", _in_map, NOMINAL),
)
