"""The history of a run: read from the stream, kept in a file, and turned into events again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import msgspec

from slicewire.common import messages
from slicewire.common.bus.link import Inbox, Link, Message, next_of
from slicewire.common.bus.port import BusUnavailable
from slicewire.common.messages import HISTORY_STREAM, STATE_STREAM, Fact
from slicewire.common.model import wire
from tests.soak.evidence import Event

_SILENCE_SECONDS = 20.0
_HEARTBEAT_NANOSECONDS = 2_000_000_000
_SOURCE = "Nats-Stream-Source"


async def last_sequence(link: Link, stream: str = STATE_STREAM) -> int:
    return int((await link.api(f"STREAM.INFO.{stream}", {}))["state"]["last_seq"])


async def is_null(link: Link, subject: str) -> bool:
    """The state says that there is nothing under the subject any more."""
    found = await link.api(f"STREAM.MSG.GET.{STATE_STREAM}", {"last_by_subj": subject})
    return msgspec.json.decode(f'"{found["message"]["data"]}"', type=bytes) == b"null"


async def source_lag(link: Link) -> int:
    """How many facts of the state the history does not have yet."""
    last = await last_sequence(link, HISTORY_STREAM)
    if not last:
        return await last_sequence(link)
    found = await link.api(f"STREAM.MSG.GET.{HISTORY_STREAM}", {"seq": last})
    headers = msgspec.json.decode(f'"{found["message"]["hdrs"]}"', type=bytes).decode()
    (source,) = (line for line in headers.splitlines() if line.startswith(_SOURCE))
    return await last_sequence(link) - _source_sequence(source.partition(": ")[2])


def _source_sequence(source: str) -> int:
    return int(source.split()[1])


async def save(link: Link, path: Path) -> int:
    """Write the whole history to a file, a fact a line; returns how many there are."""
    count = 0
    with path.open("wb") as file:
        async for message in _everything(link):
            author, _, number = message.headers.get("ce-id", "-0").rpartition("-")
            line = {
                "sequence": _source_sequence(message.headers[_SOURCE]),
                "subject": message.subject,
                "author": author,
                "number": int(number),
                "source": message.headers.get("ce-source", ""),
                "time": message.headers.get("ce-time", ""),
                "fact": msgspec.Raw(message.data),
            }
            file.write(msgspec.json.encode(line) + b"\n")
            count += 1
    return count


class _Line(msgspec.Struct):
    sequence: int
    subject: str
    author: str
    number: int
    fact: msgspec.Raw


def load(path: Path) -> Iterator[Event]:
    """The events of a file, in order."""
    decoder = msgspec.json.Decoder(_Line)
    with path.open("rb") as file:
        for text in file:
            line = decoder.decode(text)
            channel = messages.channel_of(line.subject)
            if channel is None:
                continue
            fact = wire.decode(bytes(line.fact), cast("type[Fact]", channel.fact | None))
            yield Event(
                line.sequence, channel.kind, channel.key_of(line.subject), fact, line.author, line.number
            )


async def _everything(link: Link) -> AsyncIterator[Message]:
    last = await last_sequence(link, HISTORY_STREAM)
    async with link.listen() as (subject, inbox):
        config: dict[str, Any] = {
            "deliver_policy": "all",
            "deliver_subject": subject,
            "ack_policy": "none",
            "mem_storage": True,
            "flow_control": True,
            "idle_heartbeat": _HEARTBEAT_NANOSECONDS,
        }
        await link.api(f"CONSUMER.CREATE.{HISTORY_STREAM}", {"stream_name": HISTORY_STREAM, "config": config})
        expected = 1
        while expected <= last:
            message = await _next(link, inbox)
            if message.delivery != expected:
                raise BusUnavailable(f"the history lost its message {expected} on the way")
            expected += 1
            yield message


async def _next(link: Link, inbox: Inbox) -> Message:
    """The next fact; heartbeats and flow control are answered on the way."""
    while True:
        item = await next_of(inbox, _SILENCE_SECONDS)
        if not isinstance(item, Message):
            raise BusUnavailable("the connection was away while the history was read")
        if item.delivery:
            return item
        if item.reply:
            await link.send(item.reply, b"")
