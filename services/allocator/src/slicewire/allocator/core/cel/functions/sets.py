"""Lists taken as sets."""

from __future__ import annotations

from typing import Any

from slicewire.allocator.core.cel.cost.prices import set_comparison
from slicewire.allocator.core.cel.overload import overload
from slicewire.allocator.core.cel.values import Frame, contains

Items = tuple[Any, ...]


def _contains(frame: Frame, items: Items, wanted: Items) -> bool:
    return all(contains(items, item, frame) for item in wanted)


def _intersects(frame: Frame, one: Items, other: Items) -> bool:
    return any(contains(other, item, frame) for item in one)


def _equivalent(frame: Frame, one: Items, other: Items) -> bool:
    return _contains(frame, one, other) and _contains(frame, other, one)


OVERLOADS = (
    overload("sets.contains(list(A), list(A)) -> bool", _contains, set_comparison(1), pays=True),
    overload("sets.intersects(list(A), list(A)) -> bool", _intersects, set_comparison(1), pays=True),
    overload("sets.equivalent(list(A), list(A)) -> bool", _equivalent, set_comparison(2), pays=True),
)
