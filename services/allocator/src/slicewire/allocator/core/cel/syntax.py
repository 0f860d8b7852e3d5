"""The syntax tree: what was written, with its place in the source. Says nothing of types or values.

Macros are nodes of their own (`Fold`, `Bind`, `OptionalMap`), not expanded: each is checked, priced and
run as a whole, and a chain of them does not grow the tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any

import msgspec


class Node(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """`start` to `end` is its text; `at` is where a fault in it is pointed out."""

    start: int
    end: int
    at: int

    @property
    def parts(self) -> tuple[Node, ...]:
        """What it is made of, in the order it is written."""
        return ()


class Literal(Node, frozen=True, eq=False):
    value: Any


class Ident(Node, frozen=True, eq=False):
    name: str


class Select(Node, frozen=True, eq=False):
    """`operand.field`, `operand.?field` (optional) or `has(operand.field)` (test)."""

    operand: Node
    field: str
    optional: bool = False
    test: bool = False

    @property
    def parts(self) -> tuple[Node, ...]:
        return (self.operand,)


class Published(Node, frozen=True, eq=False):
    """`device.attributes["domain"]` or `device.capacity["domain"]`, by far the commonest beginning."""

    kind: str
    domain: str


class Call(Node, frozen=True, eq=False):
    function: str
    target: Node | None
    arguments: tuple[Node, ...]

    @property
    def operands(self) -> tuple[Node, ...]:
        return self.arguments if self.target is None else (self.target, *self.arguments)

    @property
    def parts(self) -> tuple[Node, ...]:
        return self.operands


class Logic(Node, frozen=True, eq=False):
    """A chain of one of `&&` and `||`, flat however it was nested on the left."""

    operator: str
    operands: tuple[Node, ...]

    @property
    def parts(self) -> tuple[Node, ...]:
        return self.operands


class Choice(Node, frozen=True, eq=False):
    condition: Node
    then: Node
    otherwise: Node

    @property
    def parts(self) -> tuple[Node, ...]:
        return (self.condition, self.then, self.otherwise)


class ListLiteral(Node, frozen=True, eq=False):
    items: tuple[Node, ...]
    optional: frozenset[int]

    @property
    def parts(self) -> tuple[Node, ...]:
        return self.items


class MapLiteral(Node, frozen=True, eq=False):
    keys: tuple[Node, ...]
    values: tuple[Node, ...]
    optional: frozenset[int]

    @property
    def parts(self) -> tuple[Node, ...]:
        return self.keys + self.values


class FoldKind(Enum):
    ALL = "all"
    EXISTS = "exists"
    EXISTS_ONE = "exists_one"
    LIST = "map"
    FILTER = "filter"
    MAP = "transformMap"
    MAP_ENTRY = "transformMapEntry"


class Fold(Node, frozen=True, eq=False):
    """A macro over a range: one variable is element or key, two are index and element or key and value."""

    kind: FoldKind
    source: Node
    variables: tuple[str, ...]
    keep: Node | None
    body: Node

    @property
    def parts(self) -> tuple[Node, ...]:
        return (self.source, self.body) if self.keep is None else (self.source, self.keep, self.body)


class Bind(Node, frozen=True, eq=False):
    """`cel.bind(name, value, body)`: the value is evaluated when first read, or never."""

    name: str
    value: Node
    body: Node

    @property
    def parts(self) -> tuple[Node, ...]:
        return (self.value, self.body)


class OptionalMap(Node, frozen=True, eq=False):
    """`target.optMap(name, body)`, or `optFlatMap` when flat."""

    target: Node
    name: str
    body: Node
    flat: bool

    @property
    def parts(self) -> tuple[Node, ...]:
        return (self.target, self.body)


def walk(root: Node) -> Iterator[tuple[Node, int]]:
    """Every node with its depth, without recursion: the tree may still be too deep for it."""
    waiting = [(root, 1)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        waiting.extend((child, depth + 1) for child in node.parts)
