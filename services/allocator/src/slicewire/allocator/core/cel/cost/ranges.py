"""Sizes and costs with saturation: an unknown size is the largest one, and arithmetic never passes it."""

from __future__ import annotations

import math

import msgspec

MOST = 2**64 - 1
PER_CHARACTER = 0.1
PER_PATTERN_CHARACTER = 0.25
NEW_LIST, NEW_MAP = 10, 30


class Size(msgspec.Struct, frozen=True, gc=False):
    """The least and the most elements or characters a value may have."""

    least: int
    most: int

    def __or__(self, other: object) -> Size:
        """Either this or that."""
        assert isinstance(other, Size)
        return Size(min(self.least, other.least), max(self.most, other.most))

    def plus(self, other: Size) -> Size:
        return Size(saturated(self.least + other.least), saturated(self.most + other.most))

    def times(self, other: Size) -> Size:
        return Size(saturated(self.least * other.least), saturated(self.most * other.most))


UNKNOWN = Size(0, MOST)
NOTHING_YET = Size(MOST, 0)
"""The neutral element of `|`."""


def exactly(size: int) -> Size:
    return Size(size, size)


def saturated(number: int) -> int:
    return min(number, MOST)


def scaled(size: int, factor: float) -> int:
    """`size * factor`, rounded up, in doubles as Kubernetes computes it."""
    return saturated(math.ceil(min(float(size) * factor, float(MOST))))
