"""Which overloads of a function its operands' types allow, and what the call then gives."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from slicewire.allocator.core.cel import types
from slicewire.allocator.core.cel.functions import overloads_of
from slicewire.allocator.core.cel.overload import Overload
from slicewire.allocator.core.cel.types import DYN, Type, Unifier


class Resolution(NamedTuple):
    overloads: tuple[Overload, ...]
    result: Type


def resolved(unifier: Unifier, function: str, given: tuple[Type, ...], *, member: bool) -> Resolution | None:
    """All that fit, since dyn may turn out to be any of them; results that differ make a dyn."""
    if not any(kind.is_open for kind in given):
        known = _settled(function, given, member)
        if known is None or not known.result.is_open:
            return known
    return _resolved(unifier, function, given, member)


@lru_cache(maxsize=2048)
def _settled(function: str, given: tuple[Type, ...], member: bool) -> Resolution | None:
    """Operands of known types settle a call whatever surrounds it; most calls are of a few such kinds."""
    return _resolved(Unifier(), function, given, member)


def _resolved(unifier: Unifier, function: str, given: tuple[Type, ...], member: bool) -> Resolution | None:
    fitting = []
    result: Type | None = None
    for overload in overloads_of(function):
        if overload.member is not member or len(overload.parameters) != len(given):
            continue
        found, *wanted = _signature(unifier, overload)
        if not unifier.accepts(tuple(wanted), given):
            continue
        fitting.append(overload)
        found = unifier.resolved(found)
        result = found if result is None or result == found or types.is_dynamic(result) else DYN
    return None if result is None else Resolution(tuple(fitting), result)


def _signature(unifier: Unifier, overload: Overload) -> tuple[Type, ...]:
    signature = (overload.result, *overload.parameters)
    return unifier.renamed(signature) if overload.generic else signature


def complaint(unifier: Unifier, function: str, given: tuple[Type, ...], *, member: bool) -> str:
    """That nothing fits, with the operands as they were given."""
    shown = [str(unifier.resolved(kind, final=True)) for kind in given]
    signature = f"{shown[0]}.({', '.join(shown[1:])})" if member else f"({', '.join(shown)})"
    return f"found no matching overload for '{function}' applied to '{signature}'"
