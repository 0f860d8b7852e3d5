"""Source text to tokens. Every pattern is linear in the text; text outside the language is refused."""

from __future__ import annotations

import re

import msgspec

from slicewire.allocator.core.cel.faults import Rejected


class Token(msgspec.Struct, frozen=True, gc=False):
    """`kind` is `ident`, `int`, `double`, `string`, `end`, or the punctuation itself."""

    kind: str
    text: str
    at: int
    end: int


_BLANK = r"[\t\n\f\r ]*+(?://[^\n]*+[\t\n\f\r ]*+)*+"
_ESCAPED = r"\\[^\r\n]"
_STRING = "|".join(
    (
        rf'[bB]?"(?!"")[^"\\\r\n]*+(?:{_ESCAPED}[^"\\\r\n]*+)*+"',
        rf"[bB]?'(?!'')[^'\\\r\n]*+(?:{_ESCAPED}[^'\\\r\n]*+)*+'",
        r'[bB]?[rR]"(?!"")[^"\r\n]*+"',
        r"[bB]?[rR]'(?!'')[^'\r\n]*+'",
        r'[bB]?"""(?:\\[\s\S]|[^\\])*?"""',
        r"[bB]?'''(?:\\[\s\S]|[^\\])*?'''",
        r'[bB]?[rR]"""[\s\S]*?"""',
        r"[bB]?[rR]'''[\s\S]*?'''",
    )
)
_TOKEN = re.compile(
    rf"{_BLANK}(?:"
    r"(?P<ident>(?![bB]?[rR]?[\"'])[_a-zA-Z][_a-zA-Z0-9]*+)"
    r"|(?P<mark>\.(?![0-9])|&&|\|\||==|!=|<=|>=|[-+*/%!<>?:,()\[\]{}])"
    rf"|(?P<string>{_STRING})"
    r"|(?P<double>[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|\.[0-9]+(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<int>0x[0-9a-fA-F]+[uU]?|[0-9]+[uU]?)"
    r"|(?P<end>\Z)"
    r"|(?P<foreign>[bB]?[rR]?[\"']|[\s\S]))"
)
"""Matches anywhere, so that the tokens of a text follow one another without a gap."""
_THEIR_OWN_KIND = frozenset(
    {"true", "false", "null", "in", "&&", "||", "==", "!=", "<=", ">="} | set("-+*/%!<>?:.,()[]{}")
)


def tokens(source: str) -> list[Token]:
    """All tokens of the source, closed by one of kind `end`."""
    found = []
    for match in _TOKEN.finditer(source):
        kind, group = match.lastgroup or "", match.lastindex or 0
        text = match[group]
        at, end = match.span(group)
        found.append(Token(text if text in _THEIR_OWN_KIND else kind, text, at, end))
        if kind == "end":
            break
        if kind == "foreign":
            raise Rejected(f"Syntax error: {_complaint(text[-1])}", end - 1)
    return found


def _complaint(character: str) -> str:
    return "this text is never closed" if character in "\"'" else f"unexpected character {character!r}"
