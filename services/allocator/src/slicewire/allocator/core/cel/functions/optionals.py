"""Optional values. `or` and `orValue` are listed for their types; the compiler runs them, to leave their
right-hand side alone when it is not needed."""

from __future__ import annotations

from typing import Any

from slicewire.allocator.core.cel.faults import Failed, no_such_overload
from slicewire.allocator.core.cel.functions.times import is_zero_time
from slicewire.allocator.core.cel.overload import overload
from slicewire.allocator.core.cel.values import NONE, Optional, kind_of


def present(value: Any) -> Optional:
    return Optional((value,))


def _present_unless_zero(value: Any) -> Optional:
    if value is None or is_zero_time(value):
        return NONE
    if isinstance(value, bool | int | float | str | bytes | tuple | dict) and not value:
        return NONE
    return NONE if type(value) is Optional and not value.items else present(value)


def value_of(optional: Any) -> Any:
    items = _items(optional, "value")
    if not items:
        raise Failed("optional.none() dereference")
    return items[0]


def _items(optional: Any, function: str) -> tuple[Any, ...]:
    """`or` of a dyn may give what is no optional, whatever its type says."""
    if type(optional) is not Optional:
        raise no_such_overload(function, kind_of(optional))
    return optional.items


def _unwrapped(optionals: tuple[Any, ...]) -> tuple[Any, ...]:
    found: list[Any] = []
    for optional in optionals:
        if type(optional) is not Optional:
            raise Failed("unwrap: a value of the list is not optional")
        found.extend(optional.items)
    return tuple(found)


def chosen_by_compiler(*_: Any) -> Any:
    raise AssertionError("or and orValue are compiled, not called")


OVERLOADS = (
    overload("optional.of(A) -> optional(A)", present),
    overload("optional.ofNonZeroValue(A) -> optional(A)", _present_unless_zero),
    overload("optional.none() -> optional(A)", lambda: NONE),
    overload("optional(A).value() -> A", value_of),
    overload("optional(A).hasValue() -> bool", lambda optional: bool(_items(optional, "hasValue"))),
    overload("optional(A).or(optional(A)) -> optional(A)", chosen_by_compiler),
    overload("optional(A).orValue(A) -> A", chosen_by_compiler),
    overload("list(A).first() -> optional(A)", lambda items: Optional(items[:1])),
    overload("list(A).last() -> optional(A)", lambda items: Optional(items[-1:])),
    overload("optional.unwrap(list(optional(A))) -> list(A)", _unwrapped),
    overload("list(optional(A)).unwrapOpt() -> list(A)", _unwrapped),
)
