"""The token at hand, and the way to the next. Knows nothing of what the tokens mean together."""

from __future__ import annotations

from slicewire.allocator.core.cel.faults import Rejected
from slicewire.allocator.core.cel.lexer import Token


class Cursor:
    def __init__(self, found: list[Token]) -> None:
        self._tokens = found
        self._next = 0
        self._token = found[0]

    def _skip(self, count: int) -> None:
        self._next += count
        self._token = self._tokens[self._next]

    def _end(self) -> int:
        return self._tokens[self._next - 1].end

    def _take(self) -> Token:
        token = self._token
        if token.kind != "end":
            self._next += 1
            self._token = self._tokens[self._next]
        return token

    def _taken(self, kind: str) -> Token | None:
        return self._take() if self._token.kind == kind else None

    def expect(self, kind: str) -> Token:
        if self._token.kind != kind:
            wanted = {"end": "the end of the expression", "ident": "a name"}.get(kind, f"'{kind}'")
            raise self._unexpected(f", expected {wanted}")
        return self._take()

    def _unexpected(self, more: str = "") -> Rejected:
        token = self._token
        what = "the expression ends here" if token.kind == "end" else f"unexpected '{token.text}'"
        return Rejected(f"Syntax error: {what}{more}", token.at)
