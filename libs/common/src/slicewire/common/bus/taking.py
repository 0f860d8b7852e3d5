"""Take facts to work on: a durable pull consumer shared by all takers of one name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

from slicewire.common.bus.link import ApiFault, Inbox, Link, Message, Reconnected, next_of
from slicewire.common.bus.port import REFUSED_SECONDS, BusUnavailable, Heard, NotAllowed
from slicewire.common.messages import Fact
from slicewire.common.model import wire

F = TypeVar("F", bound=Fact)
_BATCH = 64
_PULL_SECONDS = 20
_SILENCE_SECONDS = 7
_RETRY_SECONDS = 0.5
_ACK_WAIT_SECONDS = 2
_NANOSECONDS = 1_000_000_000


class Taken(Generic[F]):
    """`Delivery` by JetStream's ack protocol."""

    def __init__(self, link: Link, heard: Heard[F], reply: str) -> None:
        self._link = link
        self._reply = reply
        self.heard = heard

    async def ack(self) -> None:
        await self._link.send(self._reply, b"+ACK")

    async def retry(self, after_seconds: float) -> None:
        delay = {"delay": int(after_seconds * _NANOSECONDS)}
        await self._link.send(self._reply, b"-NAK " + wire.encode(delay))


async def take(link: Link, stream: str, durable: str, subject: str) -> AsyncIterator[Message]:
    """Messages, each to be ended by its taker; one not ended in two seconds is handed out again."""
    async with link.listen() as (inbox_subject, inbox):
        while True:
            try:
                await _ensure_consumer(link, stream, durable, subject)
                await _pull(link, stream, durable, inbox_subject)
            except (BusUnavailable, ApiFault) as error:
                await asyncio.sleep(REFUSED_SECONDS if isinstance(error, NotAllowed) else _RETRY_SECONDS)
                continue
            async for message in _pulled(inbox):
                yield message


async def _ensure_consumer(link: Link, stream: str, durable: str, subject: str) -> None:
    config = {
        "durable_name": durable,
        "filter_subject": subject,
        "deliver_policy": "last_per_subject",
        "ack_policy": "explicit",
        "ack_wait": _ACK_WAIT_SECONDS * _NANOSECONDS,
        "max_ack_pending": 10_000,
    }
    call = f"CONSUMER.CREATE.{stream}.{durable}"
    await link.api(call, {"stream_name": stream, "config": config, "action": ""})


async def _pull(link: Link, stream: str, durable: str, inbox_subject: str) -> None:
    request = {
        "batch": _BATCH,
        "expires": _PULL_SECONDS * _NANOSECONDS,
        "idle_heartbeat": 3 * _NANOSECONDS,
    }
    await link.send(f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}", wire.encode(request), inbox_subject)


async def _pulled(inbox: Inbox) -> AsyncIterator[Message]:
    """What one pull brings, until it is used up, over, or may have been lost."""
    left = _BATCH
    while left:
        try:
            item = await next_of(inbox, _SILENCE_SECONDS)
        except TimeoutError:
            return
        match item:
            case Message(status="100"):
                continue
            case Message(status=""):
                left -= 1
                yield item
            case Message() | Reconnected():
                return
