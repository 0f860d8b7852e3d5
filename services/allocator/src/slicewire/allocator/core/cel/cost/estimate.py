"""The worst case of an expression, before it has seen a device: what the API server admits it by.

Follows cel-go's estimator: each node has a cost and, where it can be told, a size. Sizes of what the device
publishes come from the limits of resource.k8s.io.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import or_
from typing import Any

import msgspec

from slicewire.allocator.core.cel import types
from slicewire.allocator.core.cel.checked import Checked
from slicewire.allocator.core.cel.cost.limits import size_at
from slicewire.allocator.core.cel.cost.loops import COLLECTS, LOOPS
from slicewire.allocator.core.cel.cost.prices import Estimate, Operand
from slicewire.allocator.core.cel.cost.ranges import (
    NEW_LIST,
    NEW_MAP,
    NOTHING_YET,
    UNKNOWN,
    Size,
    exactly,
    saturated,
)
from slicewire.allocator.core.cel.syntax import (
    Bind,
    Call,
    Choice,
    Fold,
    FoldKind,
    Ident,
    ListLiteral,
    Literal,
    Logic,
    MapLiteral,
    Node,
    OptionalMap,
    Published,
    Select,
)
from slicewire.allocator.core.cel.values import size_of

Path = tuple[str, ...]

_SELECTABLE = frozenset({"map", types.DEVICE.name})
_SCALARS = frozenset({"bool", "double", "duration", "int", "timestamp", "uint"})


class Entry(msgspec.Struct, frozen=True):
    """What a list or map holds: the size of a key and of a value."""

    is_list: bool
    key: Size
    value: Size

    def joined(self, other: Entry | None) -> Entry | None:
        return None if other is None else Entry(self.is_list, self.key | other.key, self.value | other.value)


class Worth(msgspec.Struct, frozen=True):
    """The estimate of one node. The path leads from the device to it, if it comes from there."""

    cost: int
    size: Size | None = None
    path: Path = ()
    entry: Entry | None = None


def estimated_cost(tree: Node, checked: Checked) -> int:
    return _Estimator(checked).worth(tree).cost


class _Estimator:
    def __init__(self, checked: Checked) -> None:
        self._checked = checked
        self._scope: dict[str, Worth] = {}

    def worth(self, node: Node) -> Worth:
        return _RULES[type(node)](self, node)

    def _found(self, node: Node, cost: int, path: Path = (), entry: Entry | None = None) -> Worth:
        """The worth of what was not computed: its size is by the limits of the device, else by the type."""
        size = size_at(path) if path else None
        if size is None and _is_scalar(self._checked.types[node]):
            size = _ONE
        return Worth(cost, size, path, entry)

    def literal(self, node: Literal) -> Worth:
        return Worth(0, exactly(size_of(node.value)))

    def ident(self, node: Ident) -> Worth:
        known = self._scope.get(node.name)
        if known is None:
            return self._found(node, 1, (node.name,))
        found = self._found(node, 1, known.path, known.entry)
        return found if found.size is not None else Worth(1, known.size, known.path, known.entry)

    def select(self, node: Select) -> Worth:
        if node in self._checked.names:
            return Worth(1)
        operand = self.worth(node.operand)
        if node.test:
            return self._found(node, operand.cost)
        if node.optional:
            return self._found(node, saturated(operand.cost + 1))
        step = self._checked.types[node.operand].name in _SELECTABLE
        return self._found(node, saturated(operand.cost + step), _below(operand.path, node.field))

    def published(self, node: Published) -> Worth:
        return _PUBLISHED[node.kind]

    def call(self, node: Call) -> Worth:
        if node.function == "dyn" and node.target is None:
            argument = self.worth(node.arguments[0])
            return Worth(saturated(argument.cost + 1), argument.size, argument.path, argument.entry)
        given = node.arguments if node in self._checked.names else node.operands
        worths = tuple([self.worth(operand) for operand in given])
        estimate = self._estimate(node, given, worths)
        cost = saturated(estimate.cost + sum([worth.cost for worth in worths]))
        return self._with_contents(node, Worth(cost, estimate.size), worths)

    def _estimate(self, node: Call, given: tuple[Node, ...], worths: tuple[Worth, ...]) -> Estimate:
        """The dearest of what may be called; its result has the size of any of them."""
        overloads = self._checked.overloads[node]
        only = overloads[0].price.always if len(overloads) == 1 else None
        if only is not None:
            return only
        operands = tuple(map(self._operand, given, worths))
        first, *others = [overload.price.estimate(operands) for overload in overloads]
        if not others:
            return first
        known = [each.size for each in (first, *others) if each.size is not None]
        return Estimate(
            max(first.cost, *(each.cost for each in others)), reduce(or_, known) if known else None
        )

    def _operand(self, node: Node, worth: Worth) -> Operand:
        kind = self._checked.types[node]
        item = None
        if kind.name == "list" and kind.parameters[0].name in {"string", "bytes"}:
            held = size_at(_below(worth.path, "@items")) if worth.path else None
            item = held or UNKNOWN
        literal = node.value if isinstance(node, Literal) else None
        return Operand(worth.size or UNKNOWN, kind.name, item, literal)

    def _with_contents(self, node: Call, worth: Worth, worths: tuple[Worth, ...]) -> Worth:
        """What indexing leads to, and what a sum of lists holds."""
        if node.function == "_[_]" and not self._is_optional(node.arguments[0]):
            container = worths[0]
            step = "@items" if self._checked.types[node.arguments[0]].name == "list" else "@values"
            path = _below(container.path, step)
            if container.entry:
                return Worth(worth.cost, container.entry.value, path)
            return self._found(node, worth.cost, path)
        summed = worths[0].entry if node.function == "_+_" else None
        entry = summed.joined(worths[1].entry) if summed else None
        if worth.size is None:
            return self._found(node, worth.cost, entry=entry)
        return Worth(worth.cost, worth.size, entry=entry)

    def _is_optional(self, node: Node) -> bool:
        return self._checked.types[node].name == "optional_type"

    def logic(self, node: Logic) -> Worth:
        return Worth(saturated(sum(self.worth(operand).cost for operand in node.operands)), exactly(1))

    def choice(self, node: Choice) -> Worth:
        condition, then, otherwise = (
            self.worth(part) for part in (node.condition, node.then, node.otherwise)
        )
        return Worth(
            saturated(condition.cost + max(then.cost, otherwise.cost)),
            (then.size or UNKNOWN) | (otherwise.size or UNKNOWN),
            entry=then.entry.joined(otherwise.entry) if then.entry else None,
        )

    def list_literal(self, node: ListLiteral) -> Worth:
        cost, item = self._summed(node.items)
        return Worth(
            saturated(cost + NEW_LIST), exactly(len(node.items)), entry=Entry(True, exactly(1), item)
        )

    def map_literal(self, node: MapLiteral) -> Worth:
        key_cost, key = self._summed(node.keys)
        value_cost, value = self._summed(node.values)
        return Worth(
            saturated(key_cost + value_cost + NEW_MAP),
            exactly(len(node.keys)),
            entry=Entry(False, key, value),
        )

    def _summed(self, nodes: tuple[Node, ...]) -> tuple[int, Size]:
        worths = [self.worth(node) for node in nodes]
        size = NOTHING_YET if nodes else exactly(0)
        for worth in worths:
            size |= worth.size or UNKNOWN
        return saturated(sum(worth.cost for worth in worths)), size

    def bind(self, node: Bind) -> Worth:
        value = self.worth(node.value)
        body = self._inside({node.name: value}, node.body)
        return Worth(saturated(NEW_LIST + value.cost + body.cost), body.size, entry=body.entry)

    def _inside(self, variables: dict[str, Worth], body: Node) -> Worth:
        before = self._scope
        self._scope = before | variables
        worth = self.worth(body)
        self._scope = before
        return worth

    def optional_map(self, node: OptionalMap) -> Worth:
        target = self.worth(node.target)
        body = self._inside({node.name: Worth(0)}, node.body)
        present = NEW_LIST + target.cost + 1 + body.cost + (not node.flat)
        return self._found(node, saturated(target.cost + 1 + max(present, 1)))

    def fold(self, node: Fold) -> Worth:
        source = self.worth(node.source)
        variables: dict[str, Worth] = dict(zip(node.variables, self._variables(node, source), strict=True))
        keep = None if node.keep is None else self._inside(variables, node.keep)
        body = self._inside(variables, node.body)
        price = LOOPS[node.kind]
        step = price.step(0 if keep is None else keep.cost, body.cost, keep is not None)
        count = source.size or UNKNOWN
        cost = saturated(source.cost + price.once + saturated(count.most * step))
        if node.kind in COLLECTS:
            return Worth(cost, count, entry=self._collected(node, body, variables))
        return Worth(cost, exactly(1))

    def _variables(self, node: Fold, source: Worth) -> list[Worth]:
        is_list = source.entry.is_list if source.entry else self._checked.types[node.source].name == "list"
        keys = Worth(
            0,
            source.entry.key if source.entry else None,
            _below(source.path, "@indices" if is_list else "@keys"),
        )
        values = Worth(
            0,
            source.entry.value if source.entry else None,
            _below(source.path, "@items" if is_list else "@values"),
        )
        if len(node.variables) == 2:
            return [keys, values]
        return [values] if is_list else [keys]

    def _collected(self, node: Fold, body: Worth, variables: dict[str, Worth]) -> Entry | None:
        if node.kind in {FoldKind.MAP, FoldKind.MAP_ENTRY}:
            return None
        item = variables[node.variables[0]].size if node.kind is FoldKind.FILTER else body.size
        return Entry(True, exactly(1), exactly(0) | (item or UNKNOWN))


_PUBLISHED = {
    kind: Worth(3, size_at(("device", kind, "@values")), ("device", kind, "@values"))
    for kind in ("attributes", "capacity")
}


_ONE = exactly(1)


def _below(path: Path, step: str) -> Path:
    return (*path, step) if path else ()


def _is_scalar(kind: types.Type) -> bool:
    inner, was_optional = types.unwrapped(kind)
    return _is_scalar(inner) if was_optional else kind.name in _SCALARS


_RULES: dict[type[Node], Callable[[_Estimator, Any], Worth]] = {
    Literal: _Estimator.literal,
    Ident: _Estimator.ident,
    Select: _Estimator.select,
    Published: _Estimator.published,
    Call: _Estimator.call,
    Logic: _Estimator.logic,
    Choice: _Estimator.choice,
    ListLiteral: _Estimator.list_literal,
    MapLiteral: _Estimator.map_literal,
    Fold: _Estimator.fold,
    Bind: _Estimator.bind,
    OptionalMap: _Estimator.optional_map,
}
