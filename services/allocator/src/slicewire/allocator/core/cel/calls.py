"""Calls: the overload is chosen before the first device where the types tell, else by the values at hand."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from slicewire.allocator.core.cel.faults import Failed, no_such_overload
from slicewire.allocator.core.cel.functions.comparison import BY_MARK, ORDERINGS, refuse_other_kind
from slicewire.allocator.core.cel.functions.regex import matches
from slicewire.allocator.core.cel.overload import Overload, runtime_kind
from slicewire.allocator.core.cel.run import Run, charged, constant
from slicewire.allocator.core.cel.types import Type
from slicewire.allocator.core.cel.values import Frame, Optional, charge, kind_of, kind_of_class

_FOLDED = frozenset(
    {"quantity", "isQuantity", "semver", "isSemver", "url", "isURL", "ip", "isIP", "cidr", "isCIDR"}
    | {"duration", "timestamp"}
)


def call(overloads: tuple[Overload, ...], kinds: tuple[Type, ...], arguments: tuple[Run, ...]) -> Run:
    """An unmetered call with operands of these static types."""
    only = decided(overloads, kinds)
    if only is None:
        return _dispatched(Dispatch(overloads), arguments)
    return _direct(only, arguments)


@lru_cache(maxsize=1024)
def decided(overloads: tuple[Overload, ...], kinds: tuple[Type, ...]) -> Overload | None:
    """The overload, if values of these types can only mean one."""
    if len(overloads) == 1 and overloads[0].fits(tuple(map(runtime_kind, kinds))):
        return overloads[0]
    return None


class Dispatch:
    """Finds the overload for values by their classes, and remembers it."""

    def __init__(self, overloads: tuple[Overload, ...]) -> None:
        self._overloads = overloads
        self._known: dict[tuple[type, ...], Overload] = {}

    def overload(self, values: tuple[Any, ...]) -> Overload:
        classes = tuple(map(type, values))
        known = self._known.get(classes)
        return known or self._found(classes)

    def _found(self, classes: tuple[type, ...]) -> Overload:
        kinds = tuple(map(kind_of_class, classes))
        for overload in self._overloads:
            if overload.fits(kinds):
                self._known[classes] = overload
                return overload
        raise no_such_overload(self._overloads[0].function, *kinds)


def _direct(overload: Overload, arguments: tuple[Run, ...]) -> Run:
    function = overload.run
    if overload.pays:
        return lambda frame: function(frame, *[argument(frame) for argument in arguments])
    if len(arguments) == 1:
        (only,) = arguments
        return lambda frame: function(only(frame))
    if len(arguments) == 2:
        first, second = arguments
        return lambda frame: function(first(frame), second(frame))
    return lambda frame: function(*[argument(frame) for argument in arguments])


def _dispatched(dispatch: Dispatch, arguments: tuple[Run, ...]) -> Run:
    def run(frame: Frame) -> Any:
        values = tuple([argument(frame) for argument in arguments])
        overload = dispatch.overload(values)
        return overload.run(frame, *values) if overload.pays else overload.run(*values)

    return run


def metered(overloads: tuple[Overload, ...], arguments: tuple[Run, ...]) -> Run:
    """A call that charges its price for the values it was given."""
    dispatch = Dispatch(overloads)

    def run(frame: Frame) -> Any:
        values = tuple([argument(frame) for argument in arguments])
        overload = dispatch.overload(values)
        price = overload.price
        if not price.by_result:
            charge(frame, price.charge(values, None))
        result = overload.run(frame, *values) if overload.pays else overload.run(*values)
        if price.by_result:
            charge(frame, price.charge(values, result))
        return result

    return run


def folded(overload: Overload, values: tuple[Any, ...], *, metering: bool) -> Run | None:
    """The result of a call with only literals, worked out now; None if it fails, which is for later."""
    if overload.function not in _FOLDED:
        return None
    try:
        result = overload.run(*values)
    except Failed:
        return None
    run = constant(result)
    return charged(run, overload.price.charge(values, result)) if metering else run


def equal_to_text(operand: Run, text: str, *, on_the_right: bool) -> Run:
    """Nothing but the same text equals a text; a version or quantity on the left cannot even be asked."""

    def run(frame: Frame) -> bool:
        value = operand(frame)
        if type(value) is str:
            return value == text
        if on_the_right:
            refuse_other_kind(value, text)
        return False

    return run


def matches_pattern(operand: Run, pattern: str) -> Run:
    def run(frame: Frame) -> bool:
        value = operand(frame)
        if type(value) is not str:
            raise no_such_overload("matches", kind_of(value), "string")
        return matches(value, pattern)

    return run


def ordered_with_int(operand: Run, mark: str, number: int) -> Run:
    """A number that is written out on the right, as in `compareTo(…) >= 0`."""
    compare, compare_any = BY_MARK[mark], ORDERINGS[mark]

    def run(frame: Frame) -> bool:
        value = operand(frame)
        return compare(value, number) if type(value) is int else compare_any(value, number)

    return run


def among_texts(operand: Run, texts: frozenset[str]) -> Run:
    def run(frame: Frame) -> bool:
        value = operand(frame)
        return type(value) is str and value in texts

    return run


def alternative(first: Run, second: Run, *, unwrap: bool) -> Run:
    """`or` and `orValue`: the second is evaluated only if the first is absent."""

    def run(frame: Frame) -> Any:
        value = first(frame)
        if type(value) is not Optional:
            raise no_such_overload("orValue" if unwrap else "or", kind_of(value))
        if not value.items:
            return second(frame)
        return value.items[0] if unwrap else value

    return run


Lookup = Callable[[Any, Any], Any]


def lookup(container: Run, index: Run, find: Lookup) -> Run:
    return lambda frame: find(container(frame), index(frame))
