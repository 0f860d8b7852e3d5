"""Semantic versions, strict or normalised first. Build metadata has no weight."""

from __future__ import annotations

from functools import lru_cache

from slicewire.allocator.core.cel.cost.prices import traversal
from slicewire.allocator.core.cel.faults import Failed
from slicewire.allocator.core.cel.functions.arithmetic import int_in_range
from slicewire.allocator.core.cel.overload import overload
from slicewire.common.model import Semver

_LONGEST = 1024


@lru_cache(maxsize=4096)
def parsed_version(text: str) -> Semver:
    """A strict version, or a ValueError."""
    if len(text) > _LONGEST:
        raise ValueError(f"longer than {_LONGEST} characters")
    return Semver(text)


def _normalised(text: str) -> str:
    """Without the leading `v` and leading zeros, with three parts. A short version may carry nothing else."""
    parts = [_without_zeros(part) for part in text.removeprefix("v").split(".", 2)]
    if len(parts) < 3 and any(mark in parts[-1] for mark in "+-"):
        raise ValueError("short version cannot contain PreRelease/Build meta data")
    return ".".join(parts + ["0"] * (3 - len(parts)))


def _without_zeros(part: str) -> str:
    if len(part) < 2:
        return part
    rest = part.lstrip("0")
    return rest if rest[:1] in tuple("0123456789") else f"0{rest}"


def _semver(text: str, normalise: bool = False) -> Semver:
    try:
        return parsed_version(_normalised(text) if normalise else text)
    except ValueError as error:
        raise Failed(f"cannot parse semantic version: {error}") from None


def _is_semver(text: str, normalise: bool = False) -> bool:
    try:
        _semver(text, normalise)
    except Failed:
        return False
    return True


OVERLOADS = (
    overload("semver(string) -> Semver", _semver, traversal()),
    overload("semver(string, bool) -> Semver", _semver, traversal()),
    overload("isSemver(string) -> bool", _is_semver, traversal()),
    overload("isSemver(string, bool) -> bool", _is_semver, traversal()),
    overload("Semver.major() -> int", lambda version: int_in_range(version.major)),
    overload("Semver.minor() -> int", lambda version: int_in_range(version.minor)),
    overload("Semver.patch() -> int", lambda version: int_in_range(version.patch)),
    overload("Semver.isGreaterThan(Semver) -> bool", lambda left, right: right < left),
    overload("Semver.isLessThan(Semver) -> bool", lambda left, right: left < right),
    overload("Semver.compareTo(Semver) -> int", lambda left, right: (right < left) - (left < right)),
)
