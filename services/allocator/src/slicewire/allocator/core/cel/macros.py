"""Calls that are not calls: `has`, the loops, `cel.bind`, `optMap`, `sortBy`. Other shapes stay calls."""

from __future__ import annotations

from collections.abc import Callable

from slicewire.allocator.core.cel.faults import Rejected
from slicewire.allocator.core.cel.syntax import Bind, Call, Fold, FoldKind, Ident, Node, OptionalMap, Select

_SORTED = "@sorted"
SORT_BY_KEYS = "@sortByAssociatedKeys"

_ONE_VARIABLE = {
    ("all", 2): FoldKind.ALL,
    ("exists", 2): FoldKind.EXISTS,
    ("exists_one", 2): FoldKind.EXISTS_ONE,
    ("existsOne", 2): FoldKind.EXISTS_ONE,
    ("map", 2): FoldKind.LIST,
    ("map", 3): FoldKind.LIST,
    ("filter", 2): FoldKind.FILTER,
}
_TWO_VARIABLES = {
    ("all", 3): FoldKind.ALL,
    ("exists", 3): FoldKind.EXISTS,
    ("existsOne", 3): FoldKind.EXISTS_ONE,
    ("transformList", 3): FoldKind.LIST,
    ("transformList", 4): FoldKind.LIST,
    ("transformMap", 3): FoldKind.MAP,
    ("transformMap", 4): FoldKind.MAP,
    ("transformMapEntry", 3): FoldKind.MAP_ENTRY,
    ("transformMapEntry", 4): FoldKind.MAP_ENTRY,
}


def expanded(call: Call) -> Node:
    """The macro this call is written as, or the call."""
    shape = (call.function, len(call.arguments))
    if call.target is None:
        return _has(call) if shape == ("has", 1) else call
    if shape in _ONE_VARIABLE:
        return _fold(call, _ONE_VARIABLE[shape], 1)
    if shape in _TWO_VARIABLES:
        return _fold(call, _TWO_VARIABLES[shape], 2)
    special = _SPECIAL.get(shape)
    return special(call, call.target) if special else call


def _has(call: Call) -> Node:
    field = call.arguments[0]
    if not isinstance(field, Select) or field.optional or field.test:
        raise Rejected(
            "invalid argument to has() macro: it must be a field selection, as in has(a.b)", field.at
        )
    return Select(
        start=call.start, end=call.end, at=field.at, operand=field.operand, field=field.field, test=True
    )


def _fold(call: Call, kind: FoldKind, count: int) -> Node:
    assert call.target is not None
    variables = tuple(_variable(argument, call) for argument in call.arguments[:count])
    if len(set(variables)) < count:
        raise Rejected(f"duplicate variable name: {variables[0]}", call.arguments[1].at)
    rest = call.arguments[count:]
    return Fold(
        start=call.start, end=call.end, at=call.at, kind=kind, source=call.target,
        variables=variables, keep=rest[0] if len(rest) == 2 else None, body=rest[-1],
    )  # fmt: skip


def _variable(argument: Node, call: Call) -> str:
    if not isinstance(argument, Ident):
        raise Rejected(f"argument must be a simple name: the variable of {call.function}()", argument.at)
    if argument.name == "__result__":
        raise Rejected("iteration variable overwrites accumulator variable", argument.at)
    return argument.name


def _bind(call: Call, target: Node) -> Node:
    if not isinstance(target, Ident) or target.name != "cel":
        return call
    name, value, body = call.arguments
    return Bind(
        start=call.start, end=call.end, at=call.at, name=_variable(name, call), value=value, body=body
    )


def _optional_map(call: Call, target: Node) -> Node:
    name, body = call.arguments
    return OptionalMap(
        start=call.start, end=call.end, at=call.at, target=target, name=_variable(name, call), body=body,
        flat=call.function == "optFlatMap",
    )  # fmt: skip


def _sort_by(call: Call, target: Node) -> Node:
    """`list.sortBy(e, key)` is a bound list, sorted by the list of its keys."""
    place = {"start": call.start, "end": call.end, "at": call.at}
    bound = Ident(**place, name=_SORTED)
    keys = Fold(
        **place, kind=FoldKind.LIST, source=bound, variables=(_variable(call.arguments[0], call),), keep=None,
        body=call.arguments[1],
    )  # fmt: skip
    return Bind(
        **place, name=_SORTED, value=target,
        body=Call(**place, function=SORT_BY_KEYS, target=bound, arguments=(keys,)),
    )  # fmt: skip


_SPECIAL: dict[tuple[str, int], Callable[[Call, Node], Node]] = {
    ("bind", 3): _bind,
    ("optMap", 2): _optional_map,
    ("optFlatMap", 2): _optional_map,
    ("sortBy", 2): _sort_by,
}
