"""`size()` and `[]` of lists, maps and texts, and `includes()`, which takes a scalar for a list of one."""

from __future__ import annotations

from typing import Any

from slicewire.allocator.core.cel.cost.prices import LIST_CONCATENATION, NOMINAL, Estimate, Price
from slicewire.allocator.core.cel.faults import Failed
from slicewire.allocator.core.cel.functions.growth import grow
from slicewire.allocator.core.cel.overload import overload
from slicewire.allocator.core.cel.values import NONE, Frame, Optional, equals, key_of, kind_of, spelled

LONGEST_INCLUDES = 48
"""resource.k8s.io ResourceSliceMaxAttributeValuesPerDevice."""


def position_of(index: Any) -> int:
    """An index into a list: a whole number of any type."""
    if type(index) is float and index.is_integer():
        return int(index)
    if isinstance(index, int) and type(index) is not bool:
        return int(index)
    raise Failed(f"unsupported index type '{kind_of(index)}' in list")


def item_at(items: tuple[Any, ...], index: Any) -> Any:
    position = position_of(index)
    if not 0 <= position < len(items):
        raise Failed(f"index out of bounds: {position}")
    return items[position]


def value_at(mapping: dict[Any, Any], key: Any) -> Any:
    try:
        return mapping[key_of(key)]
    except KeyError:
        raise Failed(f"no such key: {spelled(key)}") from None


def at(container: Any, index: Any) -> Any:
    """`container[index]`; through an optional, an optional element."""
    if type(container) is tuple:
        return item_at(container, index)
    if isinstance(container, dict):
        return value_at(container, index)
    if type(container) is Optional:
        return maybe_at(container, index)
    raise Failed(f"no such overload: _[_]({kind_of(container)}, {kind_of(index)})")


def maybe_at(container: Any, index: Any) -> Optional:
    """`container[?index]`: absent is no error."""
    if type(container) is Optional:
        return maybe_at(container.items[0], index) if container.items else NONE
    if type(container) is tuple:
        position = position_of(index)
        return Optional((container[position],)) if 0 <= position < len(container) else NONE
    if isinstance(container, dict):
        try:
            return Optional((container[key_of(index)],))
        except KeyError:
            return NONE
    raise Failed(f"no such overload: _[?_]({kind_of(container)}, {kind_of(index)})")


def _concatenated(frame: Frame, left: tuple[Any, ...], right: tuple[Any, ...]) -> tuple[Any, ...]:
    grow(frame, len(left) + len(right))
    return left + right


def _includes(frame: Frame, target: Any, wanted: Any) -> bool:
    if type(target) is not tuple:
        return equals(target, wanted, frame)
    for position, item in enumerate(target):
        if position >= LONGEST_INCLUDES:
            raise Failed(
                f"'includes' function cannot be applied to lists longer than {LONGEST_INCLUDES} values"
            )
        if equals(item, wanted, frame, 1):
            return True
    return False


_INCLUDES = Price(lambda _: Estimate(LONGEST_INCLUDES), NOMINAL.charge)

OVERLOADS = (
    *(
        overload(signature, len)
        for kind in ("string", "bytes", "list(A)", "map(A, B)")
        for signature in (f"size({kind}) -> int", f"{kind}.size() -> int")
    ),
    overload("_[_](list(A), int) -> A", at),
    overload("_[_](map(A, B), A) -> B", at),
    overload("_[_](optional(list(A)), int) -> optional(A)", at),
    overload("_[_](optional(map(A, B)), A) -> optional(B)", at),
    overload("_[?_](list(A), int) -> optional(A)", maybe_at),
    overload("_[?_](optional(list(A)), int) -> optional(A)", maybe_at),
    overload("_[?_](map(A, B), A) -> optional(B)", maybe_at),
    overload("_[?_](optional(map(A, B)), A) -> optional(B)", maybe_at),
    overload("_+_(list(A), list(A)) -> list(A)", _concatenated, LIST_CONCATENATION, pays=True),
    overload("dyn.includes(dyn) -> bool", _includes, _INCLUDES, pays=True),
)
