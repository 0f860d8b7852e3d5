"""The type checker: a type for every node, overloads for every call, or a refusal as the API server gives it.

The rules are those of cel-go with Kubernetes' options: literals of one type, no message types but the device.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, assert_never

from slicewire.allocator.core.cel import types
from slicewire.allocator.core.cel.checked import Checked
from slicewire.allocator.core.cel.declared import TYPE_NAMES, attribute_type, device_fields, dotted_name
from slicewire.allocator.core.cel.environment import Environment
from slicewire.allocator.core.cel.faults import Rejected
from slicewire.allocator.core.cel.functions import overloads_of
from slicewire.allocator.core.cel.overload import Overload
from slicewire.allocator.core.cel.ranging import variable_types
from slicewire.allocator.core.cel.resolve import complaint, resolved
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
from slicewire.allocator.core.cel.types import BOOL, DYN, ERROR, INT, STRING, Type, Unifier
from slicewire.allocator.core.cel.values import TypeName, UInt

_LITERALS: dict[type, Type] = {
    bool: BOOL, int: INT, UInt: types.UINT, float: types.DOUBLE, str: STRING, bytes: types.BYTES,
    type(None): types.NULL,
}  # fmt: skip
_MAP_KEYS = frozenset({"bool", "int", "uint", "string", "dyn", "any", "error"})


def check(tree: Node, environment: Environment, *, any_output: bool = False) -> Checked:
    """Types for the whole tree, or `Rejected`. A selector must give a bool, a derivation anything."""
    checker = _Checker(environment)
    try:
        checker.check(tree)
        checked = checker.finished(tree)
    except types.TooDeep:
        raise Rejected("a type is nested too deeply in this expression", tree.at) from None
    if not any_output and checked.output not in {BOOL, attribute_type(environment)}:
        raise Rejected(f"must evaluate to bool or the unknown type, not {checked.output}", tree.at)
    return checked


class _Checker:
    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._fields = device_fields(environment)
        self._unifier = Unifier()
        self._scope: dict[str, Type] = {"device": types.DEVICE}
        self._types: dict[Node, Type] = {}
        self._overloads: dict[Call, tuple[Overload, ...]] = {}
        self._names: dict[Node, Any] = {}
        self._in_format = 0
        self._uniform: list[tuple[tuple[Node, ...], frozenset[int]]] = []

    def finished(self, tree: Node) -> Checked:
        found = self._types
        for node, kind in found.items():
            if kind.is_open:
                found[node] = self._unifier.resolved(kind, final=True)
        self._refuse_mixed_literals(found)
        return Checked(found[tree], found, self._overloads, self._names)

    def check(self, node: Node) -> Type:
        kind = _RULES[type(node)](self, node)
        self._types[node] = kind
        return kind

    def literal(self, node: Literal) -> Type:
        return _LITERALS[type(node.value)]

    def ident(self, node: Ident) -> Type:
        if node.name in self._scope:
            return self._scope[node.name]
        return self._type_name(node, node.name) or self._undeclared(node.name, node.at)

    def _type_name(self, node: Node, name: str) -> Type | None:
        if name not in TYPE_NAMES:
            return None
        self._names[node] = TypeName(name)
        return types.parametrised("type", TYPE_NAMES[name])

    def _undeclared(self, name: str, at: int) -> Type:
        raise Rejected(f"undeclared reference to '{name}' (in container '')", at)

    def select(self, node: Select) -> Type:
        name = dotted_name(node) if type(node.operand) is not Published else None
        if name and name.partition(".")[0] not in self._scope:
            found = self._type_name(node, name)
            if found is not None:
                return found
        operand, was_optional = types.unwrapped(self._unifier.resolved(self.check(node.operand)))
        kind = self._field(operand, node)
        if node.test:
            return BOOL
        return types.optional_of(kind) if was_optional or node.optional else kind

    def published(self, node: Published) -> Type:
        return self._fields[node.kind].parameters[1]

    def _field(self, operand: Type, node: Select) -> Type:
        if operand.name == "map":
            return operand.parameters[1]
        if operand == types.DEVICE:
            if node.field not in self._fields:
                raise Rejected(f"undefined field '{node.field}'", node.at)
            return self._fields[node.field]
        if operand.is_variable:
            self._unifier.accepts((DYN,), (operand,))
            return DYN
        if not types.is_dynamic(operand):
            raise Rejected(f"type '{operand}' does not support field selection", node.at)
        return DYN

    def call(self, node: Call) -> Type:
        if node.function != "format":
            return self._resolved_call(node)
        self._in_format += 1
        kind = self._resolved_call(node)
        self._in_format -= 1
        return kind

    def _resolved_call(self, node: Call) -> Type:
        given = tuple([self.check(argument) for argument in node.arguments])
        if node.target is None:
            return self._resolve(node, node.function, False, given)
        namespace = dotted_name(node.target)
        if namespace and overloads_of(f"{namespace}.{node.function}"):
            self._names[node] = f"{namespace}.{node.function}"
            return self._resolve(node, f"{namespace}.{node.function}", False, given)
        target = self.check(node.target)
        return self._resolve(node, node.function, True, (target, *given))

    def _resolve(self, node: Call, function: str, member: bool, given: tuple[Type, ...]) -> Type:
        if not self._is_declared(function):
            return self._undeclared(function, node.at)
        resolution = resolved(self._unifier, function, given, member=member)
        if resolution is None:
            raise Rejected(complaint(self._unifier, function, given, member=member), node.at)
        self._overloads[node] = resolution.overloads
        return resolution.result

    def _is_declared(self, function: str) -> bool:
        if function == "includes" and not self._environment.knows_list_attributes:
            return False
        return bool(overloads_of(function))

    def logic(self, node: Logic) -> Type:
        for operand in node.operands:
            self._expect(BOOL, self.check(operand), operand)
        return BOOL

    def _expect(self, wanted: Type, given: Type, node: Node) -> None:
        if given is not wanted and not self._unifier.accepts((wanted,), (given,)):
            raise self._mismatch(wanted, given, node)

    def _mismatch(self, wanted: Type, given: Type, node: Node) -> Rejected:
        wanted, given = (self._unifier.resolved(kind, final=True) for kind in (wanted, given))
        return Rejected(f"expected type '{wanted}' but found '{given}'", node.at)

    def choice(self, node: Choice) -> Type:
        given = tuple(self.check(part) for part in (node.condition, node.then, node.otherwise))
        either = self._unifier.fresh()
        if not self._unifier.accepts((BOOL, either, either), given):
            raise Rejected(complaint(self._unifier, "_?_:_", given, member=False), node.at)
        return self._unifier.resolved(either)

    def list(self, node: ListLiteral) -> Type:
        return types.list_of(self._joined(node.items, node.optional))

    def map(self, node: MapLiteral) -> Type:
        key = self._joined(node.keys, frozenset())
        shown = self._unifier.resolved(key)
        if not shown.is_variable and shown.name not in _MAP_KEYS:
            raise Rejected(f"unsupported key type: {shown}", node.at)
        return types.map_of(key, self._joined(node.values, node.optional))

    def _joined(self, nodes: tuple[Node, ...], optional: frozenset[int]) -> Type:
        joined: Type | None = None
        for index, node in enumerate(nodes):
            kind = self.check(node)
            if index in optional:
                kind, was_optional = types.unwrapped(self._unifier.resolved(kind))
                if not was_optional and not types.is_dynamic(kind):
                    raise self._mismatch(types.optional_of(kind), kind, node)
            previous, joined = joined, kind if joined is None else self._unifier.joined(joined, kind)
            if joined is None:
                raise self._mismatch(previous or ERROR, kind, node)
        if not self._in_format:
            self._uniform.append((nodes, optional))
        return self._unifier.fresh() if joined is None else joined

    def _refuse_mixed_literals(self, found: Mapping[Node, Type]) -> None:
        """Not even dyn may be mixed in, except in what format() is given."""
        for nodes, optional in self._uniform:
            kinds = [
                types.unwrapped(found[node])[0] if index in optional else found[node]
                for index, node in enumerate(nodes)
            ]
            for node, kind in zip(nodes, kinds, strict=True):
                if kind != kinds[0]:
                    raise self._mismatch(kinds[0], kind, node)

    def fold(self, node: Fold) -> Type:
        source = self._unifier.resolved(self.check(node.source))
        before = self._scope
        kinds = variable_types(self._unifier, node, source)
        self._scope = before | dict(zip(node.variables, kinds, strict=True))
        if node.keep is not None:
            self._expect(BOOL, self.check(node.keep), node.keep)
        body = self.check(node.body)
        first = self._scope[node.variables[0]]
        self._scope = before
        return self._fold_result(node, body, first)

    def _fold_result(self, node: Fold, body: Type, first: Type) -> Type:
        match node.kind:
            case FoldKind.ALL | FoldKind.EXISTS | FoldKind.EXISTS_ONE:
                self._expect(BOOL, body, node.body)
                return BOOL
            case FoldKind.FILTER:
                self._expect(BOOL, body, node.body)
                return types.list_of(first)
            case FoldKind.LIST:
                return types.list_of(body)
            case FoldKind.MAP:
                return types.map_of(first, body)
            case FoldKind.MAP_ENTRY:
                return self._entries(body, node.body)
            case _:
                assert_never(node.kind)

    def _entries(self, body: Type, node: Node) -> Type:
        wanted = types.map_of(self._unifier.fresh(), self._unifier.fresh())
        self._expect(wanted, body, node)
        return self._unifier.resolved(wanted)

    def bind(self, node: Bind) -> Type:
        return self._in_scope_of(node.name, self.check(node.value), node.body)

    def _in_scope_of(self, name: str, kind: Type, body: Node) -> Type:
        before = self._scope
        self._scope = {**before, name: kind}
        result = self.check(body)
        self._scope = before
        return result

    def optional_map(self, node: OptionalMap) -> Type:
        item = self._unifier.fresh()
        self._expect(types.optional_of(item), self.check(node.target), node.target)
        body = self._in_scope_of(node.name, self._unifier.resolved(item), node.body)
        if not node.flat:
            return types.optional_of(body)
        wanted = types.optional_of(self._unifier.fresh())
        self._expect(wanted, body, node.body)
        return self._unifier.resolved(wanted)


_RULES: dict[type[Node], Callable[[_Checker, Any], Type]] = {
    Literal: _Checker.literal,
    Ident: _Checker.ident,
    Select: _Checker.select,
    Published: _Checker.published,
    Call: _Checker.call,
    Logic: _Checker.logic,
    Choice: _Checker.choice,
    ListLiteral: _Checker.list,
    MapLiteral: _Checker.map,
    Fold: _Checker.fold,
    Bind: _Checker.bind,
    OptionalMap: _Checker.optional_map,
}
