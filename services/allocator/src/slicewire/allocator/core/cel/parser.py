"""Tokens to a syntax tree, by precedence climbing. Nesting is bounded: no text can exhaust the stack."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import msgspec

from slicewire.allocator.core.cel import literals, macros
from slicewire.allocator.core.cel.cursor import Cursor
from slicewire.allocator.core.cel.faults import Rejected
from slicewire.allocator.core.cel.lexer import Token, tokens
from slicewire.allocator.core.cel.operators import STRENGTHS, combined
from slicewire.allocator.core.cel.syntax import (
    Call,
    Choice,
    Ident,
    ListLiteral,
    Literal,
    MapLiteral,
    Node,
    Published,
    Select,
    walk,
)

DEEPEST_NESTING = 48
DEEPEST_TREE = 120

_SIGNS = frozenset({"!", "-"})
_NUMBERS = frozenset({"int", "double"})
_PUBLISHED_KINDS = frozenset({"attributes", "capacity"})
_DOMAIN_IN_BRACKETS = [".", "ident", "[", "string", "]"]
_DEVICE_ALONE = re.compile(r"device(?![.\[])")
"""Perhaps the name of a variable, or of another: then `device.attributes` is looked into part by part."""
_RESERVED = frozenset(
    {"as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package"}
    | {"namespace", "return", "var", "void", "while"}
)
_CONSTANTS = {"true": True, "false": False, "null": None}

_T = TypeVar("_T")


def parse(source: str) -> Node:
    """The tree of the whole source, or `Rejected` with what was wrong and where."""
    found = tokens(source)
    parser = _Parser(found, device_is_plain=_DEVICE_ALONE.search(source) is None)
    tree = parser.expression()
    parser.expect("end")
    if len(found) > DEEPEST_TREE:
        _refuse_depth(tree)
    return tree


def _refuse_depth(tree: Node) -> None:
    """No tree is deeper than its text has tokens, so a short text need not be asked."""
    for node, depth in walk(tree):
        if depth > DEEPEST_TREE:
            raise Rejected(f"the expression is nested deeper than {DEEPEST_TREE}", node.at)


class _Parser(Cursor):
    def __init__(self, found: list[Token], *, device_is_plain: bool) -> None:
        super().__init__(found)
        self._nesting = 0
        self._device_is_plain = device_is_plain

    def _nested(self, parse_inside: Callable[[], _T]) -> _T:
        self._nesting += 1
        if self._nesting > DEEPEST_NESTING:
            raise Rejected(f"the expression is nested deeper than {DEEPEST_NESTING}", self._token.at)
        inside = parse_inside()
        self._nesting -= 1
        return inside

    def expression(self) -> Node:
        condition = self._binary(1)
        mark = self._taken("?")
        if mark is None:
            return condition
        then = self._nested(partial(self._binary, 1))
        self.expect(":")
        otherwise = self._nested(self.expression)
        return Choice(
            start=condition.start,
            end=otherwise.end,
            at=mark.at,
            condition=condition,
            then=then,
            otherwise=otherwise,
        )

    def _binary(self, weakest: int) -> Node:
        left = self._unary()
        while (strength := STRENGTHS.get(self._token.kind, 0)) >= weakest:
            mark = self._take()
            left = combined(mark, left, self._binary(strength + 1))
        return left

    def _unary(self) -> Node:
        if self._token.kind in _SIGNS:
            return self._signed()
        return self._member(self._primary())

    def _signed(self) -> Node:
        mark = self._token
        if mark.kind == "-" and self._tokens[self._next + 1].kind in _NUMBERS:
            self._take()
            return self._member(self.number(mark.at, -1))
        repeats = 0
        while self._taken(mark.kind):
            repeats += 1
        operand = self._member(self._primary())
        if repeats % 2 == 0:
            return operand
        return Call(
            start=mark.at,
            end=operand.end,
            at=mark.at,
            function=f"{mark.kind}_",
            target=None,
            arguments=(operand,),
        )

    def _member(self, node: Node) -> Node:
        while (parse_more := _CONTINUATIONS.get(self._token.kind)) is not None:
            node = parse_more(self, node)
        return node

    def message(self, _: Node) -> Node:
        raise Rejected(
            "undeclared reference: messages cannot be built here, only lists and maps", self._token.at
        )

    def dotted(self, node: Node) -> Node:
        self._take()
        optional = self._taken("?") is not None
        name = self.expect("ident")
        if not optional and self._token.kind == "(":
            arguments = self._arguments()
            return macros.expanded(self._call(name, node, arguments))
        return Select(
            start=node.start, end=name.end, at=name.at, operand=node, field=name.text, optional=optional
        )

    def indexed(self, node: Node) -> Node:
        mark = self._take()
        function = "_[?_]" if self._taken("?") else "_[_]"
        index = self._nested(self.expression)
        self.expect("]")
        return Call(
            start=node.start,
            end=self._end(),
            at=mark.at,
            function=function,
            target=None,
            arguments=(node, index),
        )

    def _arguments(self) -> tuple[Node, ...]:
        self._take()
        return self._nested(self._given)

    def _given(self) -> tuple[Node, ...]:
        return self._listed(")", self.expression, trailing=False)

    def _listed(self, closing: str, item: Callable[[], _T], *, trailing: bool = True) -> tuple[_T, ...]:
        """Items up to the closing mark; all but arguments may end in a comma."""
        found: list[_T] = []
        while self._taken(closing) is None:
            if found:
                self.expect(",")
                if trailing and self._taken(closing):
                    break
            found.append(item())
        return tuple(found)

    def _call(self, name: Token, target: Node | None, arguments: tuple[Node, ...]) -> Call:
        start = name.at if target is None else target.start
        return Call(
            start=start, end=self._end(), at=name.at, function=name.text, target=target, arguments=arguments
        )

    def _primary(self) -> Node:
        parse_kind = _PRIMARIES.get(self._token.kind)
        if parse_kind is None:
            raise self._unexpected()
        return parse_kind(self)

    def text(self) -> Node:
        token = self._take()
        return _literal(token.at, token, literals.text(token))

    def word(self) -> Node:
        token = self._take()
        return _literal(token.at, token, _CONSTANTS[token.kind])

    def name(self) -> Node:
        self._taken(".")
        name = self.expect("ident")
        if self._token.kind == "(":
            return macros.expanded(self._call(name, None, self._arguments()))
        if name.text == "device" and self._device_is_plain:
            return self._device(name)
        if name.text in _RESERVED:
            raise Rejected(f"Syntax error: reserved identifier: {name.text}", name.at)
        return Ident(start=name.at, end=name.end, at=name.at, name=name.text)

    def _device(self, name: Token) -> Node:
        """The device, or at once all that it publishes in one domain."""
        ahead = self._tokens[self._next : self._next + len(_DOMAIN_IN_BRACKETS)]
        if [token.kind for token in ahead] == _DOMAIN_IN_BRACKETS and ahead[1].text in _PUBLISHED_KINDS:
            domain = literals.text(ahead[3])
            if isinstance(domain, str):
                self._skip(len(ahead))
                return Published(
                    start=name.at, end=self._end(), at=ahead[2].at, kind=ahead[1].text, domain=domain
                )
        return Ident(start=name.at, end=name.end, at=name.at, name=name.text)

    def number(self, start: int | None = None, sign: int = 1) -> Node:
        token = self._take()
        value = literals.integer(token, sign) if token.kind == "int" else literals.double(token, sign)
        return _literal(token.at if start is None else start, token, value)

    def parenthesised(self) -> Node:
        """What is inside, as wide in the text as its brackets: a part that is quoted is quoted whole."""
        opening = self._take()
        inside = self._nested(self.expression)
        closing = self.expect(")")
        return msgspec.structs.replace(inside, start=opening.at, end=closing.end)

    def list(self) -> Node:
        opening = self._take()
        items = self._nested(partial(self._listed, "]", self._item))
        return ListLiteral(
            start=opening.at, end=self._end(), at=opening.at,
            items=tuple(item for _, item in items),
            optional=frozenset(index for index, (optional, _) in enumerate(items) if optional),
        )  # fmt: skip

    def _item(self) -> tuple[bool, Node]:
        optional = self._taken("?") is not None
        return optional, self.expression()

    def map(self) -> Node:
        opening = self._take()
        entries = self._nested(partial(self._listed, "}", self._entry))
        return MapLiteral(
            start=opening.at, end=self._end(), at=opening.at,
            keys=tuple(key for _, key, _ in entries),
            values=tuple(value for _, _, value in entries),
            optional=frozenset(index for index, (optional, _, _) in enumerate(entries) if optional),
        )  # fmt: skip

    def _entry(self) -> tuple[bool, Node, Node]:
        optional, key = self._item()
        self.expect(":")
        return optional, key, self.expression()


_PRIMARIES: dict[str, Callable[[_Parser], Node]] = {
    "ident": _Parser.name,
    ".": _Parser.name,
    "int": _Parser.number,
    "double": _Parser.number,
    "string": _Parser.text,
    "true": _Parser.word,
    "false": _Parser.word,
    "null": _Parser.word,
    "(": _Parser.parenthesised,
    "[": _Parser.list,
    "{": _Parser.map,
}
_CONTINUATIONS: dict[str, Callable[[_Parser, Node], Node]] = {
    ".": _Parser.dotted,
    "[": _Parser.indexed,
    "{": _Parser.message,
}


def _literal(start: int, token: Token, value: object) -> Literal:
    return Literal(start=start, end=token.end, at=start, value=value)
