"""The worst case of an expression, before it has seen a device: what the API server admits it by.

Follows cel-go's estimator: each node has a cost and, where it can be told, a size. Sizes of what the device
publishes come from the limits of resource.k8s.io.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from slicewire.allocator.core.cel import types
from slicewire.allocator.core.cel.check import Checked
from slicewire.allocator.core.cel.cost.limits import size_at
from slicewire.allocator.core.cel.cost.prices import Operand
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
    Select,
)
from slicewire.allocator.core.cel.values import size_of

Path = tuple[str, ...]

_SELECTABLE = frozenset({"map", types.DEVICE.name})
_SCALARS = frozenset({"bool", "double", "duration", "int", "timestamp", "uint"})


class Entry(NamedTuple):
    """What a list or map holds: the size of a key and of a value."""

    is_list: bool
    key: Size
    value: Size

    def joined(self, other: Entry | None) -> Entry | None:
        return None if other is None else Entry(self.is_list, self.key | other.key, self.value | other.value)


class Worth(NamedTuple):
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

    def _sized(self, node: Node, worth: Worth) -> Worth:
        """The size if it was not computed: by the limits of the device, else by the type."""
        if worth.size is not None:
            return worth
        size = size_at(worth.path) if worth.path else None
        if size is None and _is_scalar(self._checked.types[node]):
            size = exactly(1)
        return worth._replace(size=size)

    def literal(self, node: Literal) -> Worth:
        return Worth(0, exactly(size_of(node.value)))

    def ident(self, node: Ident) -> Worth:
        known = self._scope.get(node.name)
        if known is None:
            return self._sized(node, Worth(1, path=(node.name,)))
        found = self._sized(node, Worth(1, path=known.path, entry=known.entry))
        return found if found.size is not None else found._replace(size=known.size)

    def select(self, node: Select) -> Worth:
        if node in self._checked.names:
            return Worth(1)
        operand = self.worth(node.operand)
        if node.test:
            return self._sized(node, Worth(operand.cost))
        if node.optional:
            return self._sized(node, Worth(saturated(operand.cost + 1)))
        step = self._checked.types[node.operand].name in _SELECTABLE
        return self._sized(node, Worth(saturated(operand.cost + step), path=_below(operand.path, node.field)))

    def call(self, node: Call) -> Worth:
        if node.function == "dyn" and node.target is None:
            argument = self.worth(node.arguments[0])
            return argument._replace(cost=saturated(argument.cost + 1))
        given = node.arguments if node in self._checked.names else node.operands
        worths = [self.worth(operand) for operand in given]
        operands = tuple(map(self._operand, given, worths))
        most, size = 0, None
        for overload in self._checked.overloads[node]:
            estimate = overload.price.estimate(operands)
            most = max(most, estimate.cost)
            if estimate.size is not None:
                size = estimate.size if size is None else size | estimate.size
        worth = Worth(saturated(most + sum(worth.cost for worth in worths)), size)
        return self._sized(node, self._with_contents(node, worth, worths))

    def _operand(self, node: Node, worth: Worth) -> Operand:
        kind = self._checked.types[node]
        item = None
        if kind.name == "list" and kind.parameters[0].name in {"string", "bytes"}:
            held = size_at(_below(worth.path, "@items")) if worth.path else None
            item = held or UNKNOWN
        literal = node.value if isinstance(node, Literal) else None
        return Operand(worth.size or UNKNOWN, kind.name, item, literal)

    def _with_contents(self, node: Call, worth: Worth, worths: list[Worth]) -> Worth:
        """What indexing leads to, and what a sum of lists holds."""
        if node.function == "_[_]" and not self._is_optional(node.arguments[0]):
            container = worths[0]
            inside = container.entry.value if container.entry else None
            step = "@items" if self._checked.types[node.arguments[0]].name == "list" else "@values"
            return worth._replace(path=_below(container.path, step), size=inside)
        if node.function == "_+_" and worths[0].entry is not None:
            return worth._replace(entry=worths[0].entry.joined(worths[1].entry))
        return worth

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
        return self._sized(node, Worth(saturated(target.cost + 1 + max(present, 1))))

    def fold(self, node: Fold) -> Worth:
        source = self.worth(node.source)
        variables: dict[str, Worth] = dict(zip(node.variables, self._variables(node, source), strict=True))
        keep = None if node.keep is None else self._inside(variables, node.keep)
        body = self._inside(variables, node.body)
        price = _LOOPS[node.kind]
        step = price.step(0 if keep is None else keep.cost, body.cost, keep is not None)
        count = source.size or UNKNOWN
        cost = saturated(source.cost + price.once + saturated(count.most * step))
        if node.kind in _COLLECTS:
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


class _Loop(NamedTuple):
    """The overhead of a loop: `once`, then `step(keep, body, has_keep)` for each element."""

    once: int
    step: Callable[[int, int, bool], int]


def _collecting(each: int, kept: int = 1) -> Callable[[int, int, bool], int]:
    return lambda keep, body, has_keep: keep + max(each + body, kept) if has_keep else each + body


_LOOPS = {
    FoldKind.ALL: _Loop(1, lambda _keep, body, _has: 3 + body),
    FoldKind.EXISTS: _Loop(1, lambda _keep, body, _has: 4 + body),
    FoldKind.EXISTS_ONE: _Loop(2, lambda _keep, body, _has: 2 + body),
    FoldKind.LIST: _Loop(NEW_LIST + 1, _collecting(NEW_LIST + 2)),
    FoldKind.FILTER: _Loop(NEW_LIST + 1, lambda _keep, body, _has: NEW_LIST + 3 + body),
    FoldKind.MAP: _Loop(NEW_MAP + 1, _collecting(3)),
    FoldKind.MAP_ENTRY: _Loop(NEW_MAP + 1, _collecting(2)),
}
_COLLECTS = frozenset({FoldKind.LIST, FoldKind.FILTER, FoldKind.MAP, FoldKind.MAP_ENTRY})


def _below(path: Path, step: str) -> Path:
    return (*path, step) if path else ()


def _is_scalar(kind: types.Type) -> bool:
    inner, was_optional = types.unwrapped(kind)
    return _is_scalar(inner) if was_optional else kind.name in _SCALARS


_RULES: dict[type[Node], Callable[[_Estimator, Any], Worth]] = {
    Literal: _Estimator.literal,
    Ident: _Estimator.ident,
    Select: _Estimator.select,
    Call: _Estimator.call,
    Logic: _Estimator.logic,
    Choice: _Estimator.choice,
    ListLiteral: _Estimator.list_literal,
    MapLiteral: _Estimator.map_literal,
    Fold: _Estimator.fold,
    Bind: _Estimator.bind,
    OptionalMap: _Estimator.optional_map,
}
