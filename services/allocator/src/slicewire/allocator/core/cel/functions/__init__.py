"""Every function and operator, by name. Each module is one library; this is only their index."""

from __future__ import annotations

from collections.abc import Iterable

from slicewire.allocator.core.cel.functions import (
    arithmetic,
    comparison,
    containers,
    conversions,
    formats,
    formatting,
    lists,
    networks,
    optionals,
    quantities,
    regex,
    sets,
    strings,
    times,
    urls,
    versions,
)
from slicewire.allocator.core.cel.overload import Overload

_LIBRARIES = (
    arithmetic,
    comparison,
    containers,
    conversions,
    strings,
    formatting,
    lists,
    sets,
    regex,
    quantities,
    versions,
    urls,
    networks,
    formats,
    optionals,
    times,
)


def _indexed(overloads: Iterable[Overload]) -> dict[str, tuple[Overload, ...]]:
    index: dict[str, tuple[Overload, ...]] = {}
    for overload in overloads:
        index[overload.function] = (*index.get(overload.function, ()), overload)
    return index


_BY_NAME = _indexed(overload for library in _LIBRARIES for overload in library.OVERLOADS)


def overloads_of(function: str) -> tuple[Overload, ...]:
    """The signatures of a function, in the order they are tried; none if there is no such function."""
    return _BY_NAME.get(function, ())
