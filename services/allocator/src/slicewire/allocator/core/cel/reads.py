"""What of a device an expression can read, found without one.

Sound, not complete: every attribute the answer can depend on is named, or there is no answer (None) because
the expression looks at a whole domain, at all domains, or at the device itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slicewire.allocator.core.cel.access import published_kind
from slicewire.allocator.core.cel.syntax import (
    Bind,
    Call,
    Fold,
    Ident,
    Literal,
    Node,
    OptionalMap,
    Published,
    Select,
)

Read = tuple[str, str, str]
"""(kind, domain, id); of `driver` and `allowMultipleAllocations` only the kind."""

_SCALARS = frozenset({"driver", "allowMultipleAllocations"})
_Domain = tuple[str, str]


class _Everything(Exception):
    """The expression reads what cannot be listed."""


def reads_of(tree: Node) -> frozenset[Read] | None:
    found: set[Read] = set()
    try:
        _Reader(found).read(tree, {"device": "device"})
    except _Everything:
        return None
    return frozenset(found)


_Scope = dict[str, "_Domain | str | None"]
"""What a variable stands for: a domain's map, the device, or anything else."""


class _Reader:
    def __init__(self, found: set[Read]) -> None:
        self._found = found

    def read(self, node: Node, scope: _Scope) -> None:
        """Note what the node reads; a domain's map that is not looked into at once escapes."""
        if isinstance(node, Literal):
            return
        if self._looked_up(node, scope):
            return
        if self._domain(node, scope) is not None:
            raise _Everything
        _RULES.get(type(node), _Reader.parts)(self, node, scope)

    def ident(self, node: Ident, scope: _Scope) -> None:
        if scope.get(node.name) is not None:
            raise _Everything

    def optional_map(self, node: OptionalMap, scope: _Scope) -> None:
        self.read(node.target, scope)
        self.read(node.body, {**scope, node.name: None})

    def call(self, node: Call, scope: _Scope) -> None:
        if node.target is not None and not _is_namespace(node.target, scope):
            self.read(node.target, scope)
        for argument in node.arguments:
            self.read(argument, scope)

    def parts(self, node: Node, scope: _Scope) -> None:
        for part in node.parts:
            self.read(part, scope)

    def bind(self, node: Bind, scope: _Scope) -> None:
        domain = self._domain(node.value, scope)
        if domain is None:
            self.read(node.value, scope)
        self.read(node.body, {**scope, node.name: domain})

    def fold(self, node: Fold, scope: _Scope) -> None:
        self.read(node.source, scope)
        inner = {**scope, **dict.fromkeys(node.variables)}
        for part in (node.keep, node.body):
            if part is not None:
                self.read(part, inner)

    def _looked_up(self, node: Node, scope: _Scope) -> bool:
        """Whether the node is one known thing of the device; then it is noted."""
        container, key = _lookup(node)
        if container is None or key is None:
            return False
        if isinstance(container, Ident) and scope.get(container.name) == "device" and key in _SCALARS:
            self._found.add((key, "", ""))
            return True
        domain = self._domain(container, scope)
        if domain is not None:
            self._found.add((*domain, key))
        return domain is not None

    def _domain(self, node: Node, scope: _Scope) -> _Domain | None:
        """(kind, domain) if the node is the map of one domain."""
        if isinstance(node, Published):
            return node.kind, node.domain
        if isinstance(node, Ident):
            known = scope.get(node.name)
            return known if isinstance(known, tuple) else None
        container, key = _lookup(node)
        if container is None or key is None or not isinstance(node, Call) or scope.get("device") != "device":
            return None
        kind = published_kind(container) if node.function in {"_[_]", "_[?_]"} else None
        return (kind, key) if kind else None


def _is_namespace(node: Node, scope: _Scope) -> bool:
    return isinstance(node, Ident) and node.name not in scope


def _lookup(node: Node) -> tuple[Node | None, str | None]:
    """The container and the key of `a.k`, `a.?k`, `has(a.k)`, `a["k"]`, `a[?"k"]` and `"k" in a`."""
    if isinstance(node, Select):
        return node.operand, node.field
    if not isinstance(node, Call) or node.function not in _LOOKUPS:
        return None, None
    container, key = node.arguments if node.function != "@in" else node.arguments[::-1]
    return (container, key.value) if isinstance(key, Literal) and isinstance(key.value, str) else (None, None)


_LOOKUPS = frozenset({"_[_]", "_[?_]", "@in"})
_RULES: dict[type[Node], Callable[[_Reader, Any, _Scope], None]] = {
    Ident: _Reader.ident,
    Call: _Reader.call,
    Bind: _Reader.bind,
    Fold: _Reader.fold,
    OptionalMap: _Reader.optional_map,
}
