"""Devices in groups within groups: filled so that whole groups stay free, or dealt out one to each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from slicewire.allocator.core.packing.plan import Groups

T = TypeVar("T")


class Member(NamedTuple):
    """Something that stands in groups; `taken`: it is there, and no longer to be had."""

    thing: object
    groups: Groups
    taken: bool = False


def filled(members: Sequence[Member], wanted: int, level: int = 0) -> list[Member]:
    """Those to be had, in the order that breaks up the fewest groups for so many of them.

    First the group that they fill exactly, then one that is broken up already, then the smallest; where
    none has enough, the largest, and the rest of them elsewhere.
    """
    free = [each for each in members if not each.taken]
    if not free or level == len(free[0].groups):
        return free
    order: list[Member] = []
    groups = _split(members, level)
    while groups:
        group = min(groups, key=lambda each: _breakage(each, wanted))
        groups.remove(group)
        inner = filled(group, wanted, level + 1)
        order += inner
        wanted = max(0, wanted - len(inner))
    return order


def dealt(members: Sequence[Member], level: int = 0) -> list[Member]:
    """Those to be had, each from the group that then has the most of them left."""
    free = [each for each in members if not each.taken]
    if not free or level == len(free[0].groups):
        return free
    heaps = [dealt(group, level + 1) for group in _split(members, level)]
    return [max(heaps, key=len).pop(0) for _ in free]


def _split(members: Sequence[Member], level: int) -> list[list[Member]]:
    """In the order in which they are first met."""
    groups: dict[object, list[Member]] = {}
    for each in members:
        groups.setdefault(each.groups[level], []).append(each)
    return list(groups.values())


def _breakage(group: Sequence[Member], wanted: int) -> tuple[int, int]:
    free = sum(1 for each in group if not each.taken)
    if free < wanted:
        return 3, -free
    if free == wanted:
        return 0, free
    return (1 if free < len(group) else 2), free
