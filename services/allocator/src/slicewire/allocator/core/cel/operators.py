"""The operators between two operands: which binds tighter, and the node each makes."""

from __future__ import annotations

from slicewire.allocator.core.cel.lexer import Token
from slicewire.allocator.core.cel.syntax import Call, Logic, Node

_LOGIC = frozenset({"||", "&&"})
STRENGTHS = {
    "||": 1, "&&": 2,
    "==": 3, "!=": 3, "<": 3, "<=": 3, ">": 3, ">=": 3, "in": 3,
    "+": 4, "-": 4, "*": 5, "/": 5, "%": 5,
}  # fmt: skip


def combined(mark: Token, left: Node, right: Node) -> Node:
    if mark.kind in _LOGIC:
        first = left.operands if isinstance(left, Logic) and left.operator == mark.kind else (left,)
        return Logic(
            start=left.start, end=right.end, at=mark.at, operator=mark.kind, operands=(*first, right)
        )
    function = "@in" if mark.kind == "in" else f"_{mark.kind}_"
    return Call(
        start=left.start, end=right.end, at=mark.at, function=function, target=None, arguments=(left, right)
    )
