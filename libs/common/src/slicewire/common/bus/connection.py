"""One NATS connection as the consumer logic sees it: the real `Link`, and what the client's errors mean.

A part of the door: nats.py alone imports it. Refuses to know what a message means.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import nats.errors

from slicewire.common.bus import lines
from slicewire.common.bus.client import QuickClient, Refused
from slicewire.common.bus.envelope import as_shown
from slicewire.common.bus.link import ApiFault, Inbox, Message, Reconnected
from slicewire.common.bus.port import BusUnavailable, NotAllowed
from slicewire.common.model import wire
from slicewire.common.settings import BadSettings

_SCHEMES = ("nats", "tls", "ws", "wss")
LOST = (
    nats.errors.TimeoutError,
    nats.errors.NoRespondersError,
    nats.errors.ConnectionClosedError,
    nats.errors.OutboundBufferLimitError,
    nats.errors.StaleConnectionError,
    TimeoutError,
    Refused,
)
"""The server is away, or nobody answers, or we may not ask."""
CONNECTING_FAILED = (TimeoutError, OSError, nats.errors.Error)
"""There is no connection; why, the client has complained before."""


def servers(url: str) -> list[str]:
    """The servers that a setting names, one or several with commas. Raises `BadSettings`."""
    found = [one.strip() for one in url.split(",")]
    for one in found:
        try:
            parsed = urlsplit(one if "//" in one else f"nats://{one}")
            usable = parsed.scheme in _SCHEMES and parsed.hostname and parsed.port != 0
        except ValueError:
            usable = None
        if not usable:
            raise BadSettings(f"{as_shown(one)!r} is no address of a NATS server, as tls://host:4222 is")
    return found


class NatsLink:
    """`Link` on one NATS connection."""

    def __init__(self, client: QuickClient) -> None:
        self._client = client
        self._inboxes: set[Inbox] = set()

    async def api(self, call: str, request: Mapping[str, Any]) -> dict[str, Any]:
        with mapped(self._client, f"JetStream {call}"):
            reply = await self._client.asked(f"{self._client.access.api}.{call}", wire.encode(request))
        answer = wire.decode(reply.data, dict[str, Any])
        if error := answer.get("error"):
            raise ApiFault(error.get("err_code", error["code"]), error.get("description", ""))
        return answer

    async def send(self, subject: str, data: bytes, reply: str = "") -> None:
        if subject.startswith(_API):
            subject = f"{self._client.access.api}.{subject[len(_API) :]}"
        with mapped(self._client, f"sending {subject}"):
            await self._client.publish(subject, data, reply=reply)

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[tuple[str, Inbox]]:
        inbox: Inbox = asyncio.Queue()
        subject = self._client.new_inbox()

        subscription = await self._client.subscribe(subject)
        self._client.direct[subscription._id] = _into(inbox)  # noqa: SLF001
        self._inboxes.add(inbox)
        try:
            yield subject, inbox
        finally:
            self._inboxes.discard(inbox)
            del self._client.direct[subscription._id]  # noqa: SLF001
            with suppress(*LOST, nats.errors.BadSubscriptionError):
                await subscription.unsubscribe()

    async def reconnected(self) -> None:
        for inbox in self._inboxes:
            inbox.put_nowait(Reconnected())


_API = "$JS.API."
_SHORT_ACK = 9
"""Tokens of an ack subject without domain and account: $JS.ACK.<stream>.<consumer>.<counts…>."""


def _into(inbox: Inbox) -> Callable[[lines.Arrived], None]:
    """What does not even look like a message of the server's was thrown at us by somebody else."""

    def put(message: lines.Arrived) -> None:
        try:
            made = _message(message)
        except (ValueError, IndexError):
            return
        inbox.put_nowait(made)

    return put


def _message(message: lines.Arrived) -> Message:
    subject, reply = message.subject.decode(), message.reply.decode()
    headers = {} if message.head is None else lines.Headers(message.head)
    if not reply.startswith("$JS.ACK."):
        return Message(subject, message.data, headers, reply)
    numbers = reply.split(".")
    numbers = numbers[2:] if len(numbers) == _SHORT_ACK else numbers[4:]
    return Message(
        subject,
        message.data,
        headers,
        reply,
        sequence=int(numbers[3]),
        delivery=int(numbers[4]),
        pending=int(numbers[6]),
    )


def from_askers(route: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
    """Only what somebody asked: whoever hears the stream can have a fact delivered as a question."""

    async def hand_over(request: Any) -> None:
        if not request._msg.reply.startswith("$JS."):  # noqa: SLF001 - the client shows it nowhere else
            await route(request)

    return hand_over


@contextmanager
def mapped(client: QuickClient, attempt: str) -> Iterator[None]:
    """No error of the client's leaves the door, and nothing is buffered for a server that is away."""
    if not client.is_connected:
        raise BusUnavailable(f"{attempt}: not connected")
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    try:
        yield
    except Refused as error:
        raise NotAllowed(f"{attempt}: the server does not allow it with these credentials") from error
    except LOST as error:
        raise BusUnavailable(f"{attempt}: {type(error).__name__}") from error
    finally:
        # asyncio.wait_for before Python 3.12, which the client uses, swallows a cancellation that
        # comes together with the answer: then whoever was told to stop never would.
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError
