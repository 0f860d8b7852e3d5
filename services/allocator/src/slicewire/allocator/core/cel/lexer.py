"""Source text to tokens. Every pattern is linear in the text; text outside the language is refused."""

from __future__ import annotations

import re
from typing import NamedTuple

from slicewire.allocator.core.cel.faults import Rejected


class Token(NamedTuple):
    """`kind` is `ident`, `int`, `double`, `string`, `end`, or the punctuation itself."""

    kind: str
    text: str
    at: int

    @property
    def end(self) -> int:
        return self.at + len(self.text)


_RAW = r"(?:[rR]|[bB][rR])"
_PLAIN = r"[bB]?"
_STRING = "|".join(
    (
        rf'{_RAW}"""[\s\S]*?"""',
        rf"{_RAW}'''[\s\S]*?'''",
        rf'{_RAW}"(?!"")[^"\r\n]*"',
        rf"{_RAW}'(?!'')[^'\r\n]*'",
        rf'{_PLAIN}"""(?:\\[\s\S]|[^\\])*?"""',
        rf"{_PLAIN}'''(?:\\[\s\S]|[^\\])*?'''",
        rf'{_PLAIN}"(?!"")(?:\\[^\r\n]|[^"\\\r\n])*"',
        rf"{_PLAIN}'(?!'')(?:\\[^\r\n]|[^'\\\r\n])*'",
    )
)
_TOKEN = re.compile(
    rf"(?P<skip>[\t\n\f\r ]+|//[^\n]*)"
    rf"|(?P<string>{_STRING})"
    r"|(?P<double>[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|\.[0-9]+(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<int>0x[0-9a-fA-F]+[uU]?|[0-9]+[uU]?)"
    r"|(?P<ident>[_a-zA-Z][_a-zA-Z0-9]*)"
    r"|(?P<mark>&&|\|\||==|!=|<=|>=|[-+*/%!<>?:.,()\[\]{}])"
)
_WORDS = frozenset({"true", "false", "null", "in"})


def tokens(source: str) -> list[Token]:
    """All tokens of the source, closed by one of kind `end`."""
    found = []
    at = 0
    while at < len(source):
        match = _TOKEN.match(source, at)
        if match is None:
            raise Rejected(f"Syntax error: {_complaint(source, at)}", at)
        kind = str(match.lastgroup)
        text = match[0]
        if kind != "skip":
            if kind == "mark" or text in _WORDS:
                kind = text
            found.append(Token(kind, text, at))
        at = match.end()
    found.append(Token("end", "", at))
    return found


def _complaint(source: str, at: int) -> str:
    quote = source[at]
    return "this text is never closed" if quote in "\"'" else f"unexpected character {quote!r}"
