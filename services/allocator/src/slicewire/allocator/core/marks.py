"""What is known of all devices of a layout at once: whom a selector selects, who has which value.

Remembered with the layout, and so for all nodes that are alike; what looks at an identifier of the
devices is found out for each node. Refuses to take a failed evaluation for a "no".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar, cast

from slicewire.allocator.core.constraints import Constraint
from slicewire.allocator.core.layout import is_identifier
from slicewire.allocator.core.selectors import Judge, Stumble
from slicewire.allocator.core.stock import Candidate, Stock

_REMEMBERED = 256
"""Answers that are kept of one layout; then it is begun anew."""
T = TypeVar("T")


class Marks(NamedTuple):
    """The devices that a request's selectors select, and those that they have no answer for."""

    selected: int
    stumbling: int


class Groups(NamedTuple):
    """The devices by the values of one attribute, and those that lack it."""

    by_value: Mapping[object, int]
    valueless: int
    """Those with an attribute that equals nothing."""
    lacking: int


def marks(judge: Judge, stock: Stock) -> Marks:
    return _recalled(judge, stock, lambda: is_common(judge), lambda devices: _judged(judge, devices))


def is_common(judge: Judge) -> bool:
    """Whether the selectors say the same of all nodes that are alike."""
    names = _reads(judge)
    return names is not None and not any(map(is_identifier, names))


def groups(constraint: Constraint, stock: Stock) -> Groups:
    """As published: what a request derives of a device is not looked at."""
    return _recalled(
        constraint.looks_at,
        stock,
        lambda: not is_identifier(constraint.attribute),
        lambda devices: _grouped(constraint, devices),
    )


def _recalled(
    key: object,
    stock: Stock,
    all_alike: Callable[[], bool],
    find_out: Callable[[tuple[Candidate, ...]], T],
) -> T:
    for shelf in (stock.layout.recalled, stock.recalled):
        if key in shelf:
            return cast("T", shelf[key])
    common = all_alike()
    shelf = stock.layout.recalled if common else stock.recalled
    if len(shelf) >= _REMEMBERED:
        shelf.clear()
    found = find_out(stock.layout.devices if common else stock.candidates)
    shelf[key] = found
    return found


def _reads(judge: Judge) -> frozenset[str] | None:
    """The ids that the selectors look at; None where that is not known."""
    found: frozenset[str] = frozenset()
    for program in judge.programs:
        if program.reads is None:
            return None
        found |= {bare for _, _, bare in program.reads}
    return found


def _judged(judge: Judge, devices: tuple[Candidate, ...]) -> Marks:
    selected = stumbling = 0
    for place, candidate in enumerate(devices):
        match judge.verdict(candidate):
            case None:
                selected |= 1 << place
            case Stumble():
                stumbling |= 1 << place
            case _:
                continue
    return Marks(selected, stumbling)


def _grouped(constraint: Constraint, devices: tuple[Candidate, ...]) -> Groups:
    by_value: dict[object, int] = {}
    valueless = lacking = 0
    for place, candidate in enumerate(devices):
        values = constraint.values(candidate)
        if values is None:
            lacking |= 1 << place
        elif not values:
            valueless |= 1 << place
        for value in values or ():
            by_value[value] = by_value.get(value, 0) | 1 << place
    return Groups(by_value, valueless, lacking)
