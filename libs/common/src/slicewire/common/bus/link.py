"""What following and taking need of a connection; `nats.py` has the real one.

Keeps the consumer logic free of the client library, so that each can be read alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import msgspec


class Message(msgspec.Struct, frozen=True):
    """A message as it came. The three numbers are the stream's word; 0 where it said none."""

    subject: str
    data: bytes
    headers: Mapping[str, str]
    reply: str = ""
    sequence: int = 0
    delivery: int = 0
    """Counts what this consumer was sent: a gap means something was lost on the way."""
    pending: int = 0
    """How many more are waiting behind this one."""
    event: int = 0
    """Its number in the history, where it was read from there."""

    @property
    def status(self) -> str:
        """`100` heartbeat or flow control, `404` `408` `409` end of a pull; "" for a real message."""
        return self.headers.get("Status", "") if not self.data else ""


class Reconnected(msgspec.Struct, frozen=True):
    """The connection was away: what was sent meanwhile is unknown."""


Inbox = asyncio.Queue[Message | Reconnected]


async def next_of(inbox: Inbox, seconds: float) -> Message | Reconnected:
    """What is there already costs no timer. Raises `TimeoutError`."""
    if not inbox.empty():
        return inbox.get_nowait()
    async with asyncio.timeout(seconds):
        return await inbox.get()


class ApiFault(Exception):
    """JetStream said no."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{reason} ({code})")
        self.code = code


class Link(Protocol):
    async def api(self, call: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """A JetStream API call (`$JS.API.<call>`). Raises `ApiFault`, `BusUnavailable`."""

    async def send(self, subject: str, data: bytes, reply: str = "") -> None: ...

    def listen(self) -> AbstractAsyncContextManager[tuple[str, Inbox]]:
        """An inbox: the subject to be sent to, and what arrives, `Reconnected` included."""
