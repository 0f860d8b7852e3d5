"""What somebody sends who means harm: texts for every place of a name, bodies for every subject."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

NAMES = (
    "",
    ".",
    "..",
    "../../etc/cron.d/x",
    "/etc/passwd",
    "a/../../b",
    "a.>",
    "*",
    ">",
    "a b",
    "a\nb",
    "a\r\nNats-Service-Error-Code: 200",
    "a\0b",
    "$JS.API.STREAM.DELETE.SLICEWIRE_STATE",
    "gpu\u202e0",
    "\uff4e\uff4f\uff44\uff45",
    "💥",
    "_",
    "a_b",
    ".hidden",
    "con.",
    "x" * 10_000,
    "é" * 300,
)
"""Traversal, subject tokens, line ends, what other alphabets have for ours, and sheer length."""
ANY_NAME = st.one_of(st.sampled_from(NAMES), st.text(max_size=400), st.from_regex(r"[a-z0-9./*>_-]{1,60}"))
DEEP = 20_000


def nested(levels: int = DEEP) -> bytes:
    """A list in a list in a list."""
    return b"[" * levels + b"]" * levels


def within(field: str, bomb: bytes) -> bytes:
    return b'{"%s":%s}' % (field.encode(), bomb)


BODIES: Mapping[str, bytes] = {
    "nothing a JSON reader knows": b"\xff\xfe\x00\x01",
    "a text": b'"hello"',
    "a number": b"12",
    "a list": b"[]",
    "cut off": b'{"node":"node-a","dri',
    "two of them": b"{}{}",
    "an empty object": b"{}",
    "a nesting bomb": nested(),
    "a nesting bomb of objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "every field of the wrong type": json.dumps(
        {
            name: [[{}]]
            for name in ("node", "driver", "name", "uid", "claim", "claims", "rule", "deviceClass", "at")
        }
    ).encode(),
    "a number without end": b'{"generation":' + b"9" * 5000 + b"}",
    "not a number": b'{"generation":NaN}',
    "half a character": b'{"node":"\\ud800"}',
    "half a megabyte of one name": b'{"node":"' + b"n" * 500_000 + b'"}',
}


def body(kind: Any) -> bytes:
    return json.dumps(kind).encode()
