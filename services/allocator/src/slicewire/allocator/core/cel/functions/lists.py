"""Lists: Kubernetes' own (`isSorted sum min max indexOf lastIndexOf`) and the extended ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

from slicewire.allocator.core.cel.cost.prices import (
    AGGREGATION,
    FLATTEN,
    NEW_LIST_LIKE_FIRST,
    RANGE,
    SLICE,
    self_comparison,
)
from slicewire.allocator.core.cel.faults import Failed, no_such_overload
from slicewire.allocator.core.cel.functions.arithmetic import duration_of, int_in_range, uint_in_range
from slicewire.allocator.core.cel.functions.comparison import ORDERINGS
from slicewire.allocator.core.cel.functions.growth import grow
from slicewire.allocator.core.cel.macros import SORT_BY_KEYS
from slicewire.allocator.core.cel.overload import Overload, overload
from slicewire.allocator.core.cel.values import Duration, Frame, Timestamp, UInt, contains, equals, kind_of

Items = tuple[Any, ...]

_COMPARABLE = ("int", "uint", "double", "bool", "duration", "timestamp", "string", "bytes")
_SUMMABLE = ("int", "uint", "double", "duration")
_less, _more = ORDERINGS["<"], ORDERINGS[">"]


def _is_sorted(items: Items) -> bool:
    return not any(_more(one, following) for one, following in pairwise(items))


def _extreme(name: str, beats: Callable[[Any, Any], bool]) -> Callable[[Items], Any]:
    def run(items: Items) -> Any:
        if not items:
            raise Failed(f"{name} called on empty list")
        best = items[0]
        for item in items[1:]:
            best = item if beats(item, best) else best
        return best

    return run


def _sum(items: Items) -> Any:
    kinds = {type(item) for item in items}
    if not kinds:
        return 0
    if kinds == {int}:
        return int_in_range(sum(items))
    if kinds == {UInt}:
        return uint_in_range(sum(map(int, items)))
    if kinds == {float}:
        return sum(items, 0.0)
    if kinds == {Duration}:
        return duration_of(sum(item.nanoseconds for item in items))
    raise no_such_overload("sum", *sorted(kind_of(item) for item in items)[:2])


_ZEROES = {"int": 0, "uint": UInt(0), "double": 0.0, "duration": Duration(0)}


def _sum_from(zero: Any) -> Callable[[Items], Any]:
    return lambda items: _sum(items) if items else zero


def _index_of(frame: Frame, items: Items, wanted: Any) -> int:
    return next((index for index, item in enumerate(items) if equals(item, wanted, frame, 1)), -1)


def _last_index_of(frame: Frame, items: Items, wanted: Any) -> int:
    found = _index_of(frame, items[::-1], wanted)
    return -1 if found < 0 else len(items) - 1 - found


def _slice(items: Items, start: int, end: int) -> Items:
    asked = f"cannot slice({start}, {end})"
    if start < 0 or end < 0:
        raise Failed(f"{asked}, negative indexes not supported")
    if start > end:
        raise Failed(f"{asked}, start index must be less than or equal to end index")
    if end > len(items):
        raise Failed(f"{asked}, list is length {len(items)}")
    return items[start:end]


def _flatten(frame: Frame, items: Items, levels: int = 1) -> Items:
    if levels < 0:
        raise Failed("level must be non-negative")
    found: list[Any] = []
    for item in _flattened(items, levels):
        found.append(item)
        if not len(found) % 64:
            grow(frame, len(found))
    return tuple(found)


def _flattened(items: Items, levels: int) -> Iterator[Any]:
    """Depth first, with a stack of its own: lists may be nested as deep as the expression."""
    waiting = [iter(items)]
    while waiting:
        for item in waiting[-1]:
            if type(item) is tuple and len(waiting) <= levels:
                waiting.append(iter(item))
                break
            yield item
        else:
            waiting.pop()


def _range(frame: Frame, count: int) -> Items:
    grow(frame, max(count, 0))
    return tuple(range(count))


def _distinct(frame: Frame, items: Items) -> Items:
    found: list[Any] = []
    for item in items:
        if not contains(tuple(found), item, frame):
            found.append(item)
    return tuple(found)


def _sorted_by(items: Items, keys: Items) -> Items:
    if not keys:
        return items
    if not isinstance(keys[0], bool | int | float | str | bytes | Timestamp | Duration):
        raise Failed("list elements must be comparable")
    if any(type(key) is not type(keys[0]) for key in keys):
        raise Failed("list elements must have the same type")
    return tuple(items[index] for index in sorted(range(len(items)), key=keys.__getitem__))


def _sortable(kind: str) -> tuple[Overload, Overload]:
    texts = kind in {"string", "bytes"}
    return (
        overload(f"list({kind}).sort() -> list({kind})", _sort, self_comparison(0, texts=texts)),
        overload(
            f"list(A).{SORT_BY_KEYS}(list({kind})) -> list(A)", _sorted_by, self_comparison(1, texts=texts)
        ),
    )


def _sort(items: Items) -> Items:
    return _sorted_by(items, items)


OVERLOADS = (
    *(
        found
        for kind in _COMPARABLE
        for found in (
            overload(f"list({kind}).isSorted() -> bool", _is_sorted, AGGREGATION),
            overload(f"list({kind}).min() -> {kind}", _extreme("min", _less), AGGREGATION),
            overload(f"list({kind}).max() -> {kind}", _extreme("max", _more), AGGREGATION),
            *_sortable(kind),
        )
    ),
    *(overload(f"list({kind}).sum() -> {kind}", _sum_from(_ZEROES[kind]), AGGREGATION) for kind in _SUMMABLE),
    overload("list(A).indexOf(A) -> int", _index_of, AGGREGATION, pays=True),
    overload("list(A).lastIndexOf(A) -> int", _last_index_of, AGGREGATION, pays=True),
    overload("list(A).slice(int, int) -> list(A)", _slice, SLICE),
    overload("list(list(A)).flatten() -> list(A)", _flatten, FLATTEN, pays=True),
    overload("list(dyn).flatten(int) -> list(dyn)", _flatten, FLATTEN, pays=True),
    overload("lists.range(int) -> list(int)", _range, RANGE, pays=True),
    overload("list(A).reverse() -> list(A)", lambda items: items[::-1], NEW_LIST_LIKE_FIRST),
    overload("list(A).distinct() -> list(A)", _distinct, self_comparison(0), pays=True),
)
