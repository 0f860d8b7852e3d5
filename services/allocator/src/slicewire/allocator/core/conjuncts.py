"""The conditions of a selector: what stands between the `&&`, each as it was written.

Works on text, because text is what a person will edit. Refuses to judge what a condition means.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from slicewire.allocator.core.cel.lexer import Token, tokens

_OPENING = frozenset("([{")
_CLOSING = frozenset(")]}")
_BINDS_LOOSER = frozenset(("||", "?"))


@lru_cache(maxsize=1024)
def conjuncts(expression: str) -> tuple[str, ...]:
    """All of them must hold. Just the expression itself where it is no conjunction; it must compile."""
    return tuple(_text(expression, part) for part in _parts(tokens(expression)[:-1]))


def without(expression: str, condition: str) -> str:
    """The expression less this one of its conditions; "" when that was all of it."""
    return " && ".join(each for each in conjuncts(expression) if each != condition)


def _parts(written: Sequence[Token]) -> list[Sequence[Token]]:
    outer = _outermost(written)
    if outer == [0, len(written) - 1] and written[0].kind == "(":
        inner = _parts(written[1:-1])
        return inner if len(inner) > 1 else [written]
    if any(written[at].kind in _BINDS_LOOSER for at in outer):
        return [written]
    breaks = [at for at in outer if written[at].kind == "&&"]
    if not breaks:
        return [written]
    starts, ends = (0, *(at + 1 for at in breaks)), (*breaks, len(written))
    return [part for start, end in zip(starts, ends, strict=True) for part in _parts(written[start:end])]


def _outermost(written: Sequence[Token]) -> list[int]:
    """Where the tokens stand that no bracket encloses; the outermost brackets are among them."""
    found: list[int] = []
    depth = 0
    for at, token in enumerate(written):
        depth -= token.kind in _CLOSING
        if not depth:
            found.append(at)
        depth += token.kind in _OPENING
    return found


def _text(expression: str, part: Sequence[Token]) -> str:
    return expression[part[0].at : part[-1].end]
