"""NATS' protocol as bytes, where most of it is met: messages that arrive, headers in and out. Pure.

A claim is some ten messages and as many headers each, a restart tens of thousands of messages. Refuses
everything else of the protocol; that is the client's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

_PLAIN_HEAD = b"NATS/1.0\r\n"
_LINE_END = b"\r\n"
_BEGINNINGS = (b"HMSG ", b"MSG ")
_WITH_REPLY = {b"HMSG": 6, b"MSG": 5}
"""How many words the line has that announces a message, if somebody is to be answered."""


class Headers(Mapping[str, str]):
    """As they came; most are never looked at."""

    __slots__ = ("_lines", "_read")

    def __init__(self, lines: bytes) -> None:
        self._lines = lines
        self._read: dict[str, str] | None = None

    @classmethod
    def plain(cls, head: bytes | None) -> Headers | None:
        """None where there is a status, which has a line of its own, or nothing."""
        return cls(head) if head is not None and head.startswith(_PLAIN_HEAD) else None

    def _all(self) -> dict[str, str]:
        if self._read is None:
            first, *lines = self._lines.decode("utf-8", "replace").split("\r\n")
            fields = (line.partition(":") for line in lines if ":" in line)
            self._read = {name: value.strip() for name, _, value in fields}
            if status := first.split()[1:2]:  # of a message of the server's own
                self._read["Status"] = status[0]
        return self._read

    def __getitem__(self, name: str) -> str:
        return self._all()[name]

    def get(self, name: str, default: Any = None) -> Any:
        """One alone is looked for where it stands."""
        if self._read is not None or not self._lines.startswith(_PLAIN_HEAD):
            return self._all().get(name, default)
        begin = self._lines.rfind(f"\r\n{name}:".encode())  # the last one counts, as in the mapping
        if begin < 0:
            return default
        begin += len(name) + 3
        return self._lines[begin : self._lines.find(_LINE_END, begin)].decode("utf-8", "replace").strip()

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


def written(headers: Mapping[str, str]) -> bytes | None:
    """As they are sent. None unless each is one clean line, as ours are: then somebody must look closer."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if lines.count("\r") != len(headers) or lines.count("\n") != len(headers):
        return None
    return f"NATS/1.0\r\n{lines}\r\n".encode()


class Arrived(NamedTuple):
    """One message for a subscription."""

    subject: bytes
    subscription: int
    reply: bytes
    head: bytes | None
    data: bytes


def messages_in(buffer: bytes) -> tuple[list[Arrived], int]:
    """The whole messages that the buffer begins with, and where what is left begins."""
    found: list[Arrived] = []
    at = 0
    while buffer.startswith(_BEGINNINGS, at):
        line_end = buffer.find(_LINE_END, at)
        if line_end < 0:
            break
        words = buffer[at:line_end].split()
        begin = line_end + 2
        end = begin + int(words[-1])
        if len(buffer) < end + 2:
            break
        body = begin + int(words[-2]) if words[0] == b"HMSG" else begin
        found.append(
            Arrived(
                words[1],
                int(words[2]),
                words[3] if len(words) == _WITH_REPLY[words[0]] else b"",
                buffer[begin:body] or None,
                buffer[body:end],
            )
        )
        at = end + 2
    return found, at


def may_become_message(rest: bytes | bytearray) -> bool:
    """Whether more bytes can make a message of what is left; else it is something else, or broken."""
    return any(rest.startswith(word) or word.startswith(rest) for word in _BEGINNINGS)
