"""What a literal token stands for: numbers in range, text and bytes with their escapes resolved."""

from __future__ import annotations

import math
import re

from slicewire.allocator.core.cel.faults import Rejected
from slicewire.allocator.core.cel.lexer import Token
from slicewire.allocator.core.cel.values import INT_MAX, INT_MIN, UINT_MAX, UInt

_ESCAPE = re.compile(
    r"\\(?:[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|([\s\S]))"
)
_PLAIN = re.compile(r"""(["'])([^"'\\\r]*+)\1""")
_SIMPLE = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "'": "'", '"': '"', "`": "`", "?": "?",
}  # fmt: skip
_LONGEST_NUMBER = 64


def integer(token: Token, sign: int = 1) -> int:
    """A signed or unsigned 64-bit number, decimal or hexadecimal."""
    text = token.text.rstrip("uU")
    digits = text[2:] if text[:2] == "0x" else text
    if len(digits.lstrip("0")) > _LONGEST_NUMBER:
        raise Rejected("Syntax error: the number has too many digits", token.at)
    value = sign * int(digits, 16 if text[:2] == "0x" else 10)
    if text != token.text:
        if not 0 <= value <= UINT_MAX:
            raise Rejected("Syntax error: invalid uint literal, outside 0 … 2^64-1", token.at)
        return UInt(value)
    if not INT_MIN <= value <= INT_MAX:
        raise Rejected("Syntax error: invalid int literal, outside -2^63 … 2^63-1", token.at)
    return value


def double(token: Token, sign: int = 1) -> float:
    value = sign * float(token.text)
    if math.isinf(value):
        raise Rejected("Syntax error: invalid double literal, too large", token.at)
    return value


def text(token: Token) -> str | bytes:
    """A string or, with the prefix `b`, bytes. Line ends read as newlines."""
    plain = _PLAIN.fullmatch(token.text)
    return plain[2] if plain else _text(token)


def _text(token: Token) -> str | bytes:
    body = token.text.replace("\r\n", "\n").replace("\r", "\n")
    prefix = body[: min(body.index(quote) for quote in "\"'" if quote in body)].lower()
    body = body[len(prefix) :]
    width = 3 if body[:3] in ('"""', "'''") else 1
    body = body[width:-width]
    if "b" in prefix:
        return body.encode() if "r" in prefix else _unescaped_bytes(body, token)
    return body if "r" in prefix else _unescaped(body, token)


def _unescaped(body: str, token: Token) -> str:
    if "\\" not in body:
        return body
    return _ESCAPE.sub(lambda match: _character(match, token), body)


def _character(match: re.Match[str], token: Token) -> str:
    if match[5] is not None:
        return _simple(match, token)
    point = int(match[4], 8) if match[4] else int(match[1] or match[2] or match[3], 16)
    if point > 0x10FFFF or 0xD800 <= point <= 0xDFFF:
        raise Rejected(f"Syntax error: {match[0]} is no Unicode character", token.at)
    return chr(point)


def _unescaped_bytes(body: str, token: Token) -> bytes:
    made = bytearray()
    done = 0
    for match in _ESCAPE.finditer(body):
        made += body[done : match.start()].encode()
        made += _byte(match, token)
        done = match.end()
    return bytes(made + body[done:].encode())


def _byte(match: re.Match[str], token: Token) -> bytes:
    if match[5] is not None:
        return _simple(match, token).encode()
    if match[2] or match[3]:
        raise Rejected(f"Syntax error: {match[0]} is not allowed in bytes", token.at)
    return bytes([int(match[4], 8) if match[4] else int(match[1], 16)])


def _simple(match: re.Match[str], token: Token) -> str:
    character = _SIMPLE.get(match[5])
    if character is None:
        raise Rejected(f"Syntax error: {match[0]} is no escape sequence", token.at)
    return character
