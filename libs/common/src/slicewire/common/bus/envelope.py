"""Facts as messages, and messages as facts: subject, headers (CloudEvents 1.0) and body.

Refuses to send: that is the door's.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

from slicewire.common import messages, telemetry, vitals
from slicewire.common.bus import streams
from slicewire.common.bus.link import Message
from slicewire.common.bus.port import BusUnavailable, Committed, Heard, Stale, TooLarge, Write
from slicewire.common.logs import Log
from slicewire.common.messages import Channel, Fact
from slicewire.common.model import wire

_EXPECTED = "Nats-Expected-Last-Subject-Sequence"
_WRONG_LAST_SEQUENCE = 10071
_REMEMBERED = 4096
_HEADERS_BYTES = 2048
"""Room for ours."""
_AT_A_TIME = 32
"""Facts that are read without giving way."""
Sealed = tuple[str, bytes, dict[str, str]]
"""Subject, body and headers: CloudEvents 1.0 (NATS binding, binary mode) and trace context."""
_SERVERS = re.compile(r",(?=[a-z]+://)")
_PASSWORD = re.compile(r"(?<=//).*@|^(?!.*//).*@", re.DOTALL)
"""To the last `@`: a password may hold every sign, though it should not."""
_log = Log("bus")


class Envelopes:
    """Those of one teller: each message that it sends has an id of its own."""

    def __init__(self, name: str) -> None:
        self._source = f"/slicewire/{name}"
        self._ids = itertools.count(1)
        self._session = uuid.uuid4().hex
        self._told: dict[str, Fact | None] = {}
        """What was sealed last, by id: hearing it again needs no reading."""
        self.poisoned = 0
        """How many messages on our subjects could not be read."""

    def seal(self, writes: Sequence[Write]) -> list[Sealed]:
        """One message a write; several are one batch, kept all or none (see NATS' ADR 50)."""
        sealed = [self._seal(write) for write in writes]
        if len(sealed) == 1:
            return sealed
        batch = uuid.uuid4().hex
        for number, (_, _, headers) in enumerate(sealed, 1):
            headers |= {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(number)}
        sealed[-1][2]["Nats-Batch-Commit"] = "1"
        return sealed

    def _seal(self, write: Write) -> Sealed:
        name = write.channel.fact.__name__
        id_ = f"{self._session}-{next(self._ids)}"
        self._remember(id_, write.fact)
        headers = {
            "content-type": "application/json",
            "ce-specversion": "1.0",
            "ce-id": id_,
            "ce-source": self._source,
            "ce-type": f"dev.slicewire.v1.{name}",
            "ce-dataschema": write.channel.schema,
            "ce-time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            **({"traceparent": write.trace} if write.trace else telemetry.headers()),
        }
        if write.expected is not None:
            headers[_EXPECTED] = str(write.expected)
        if write.fact is None:
            headers["Nats-TTL"] = f"{streams.TOMBSTONE_SECONDS}s"
        return write.channel.subject(*write.key), wire.encode(write.fact), headers

    def _remember(self, id_: str, fact: Fact | None) -> None:
        self._told[id_] = fact
        if len(self._told) > _REMEMBERED:
            del self._told[next(iter(self._told))]

    def open(self, message: Message) -> Heard[Any] | None:
        """None for what cannot be read: counted and said, and the rest goes on."""
        channel = messages.channel_of(message.subject)
        if channel is None:
            return None
        key = channel.key_of(message.subject)
        try:
            fact = self._fact(message, channel)
            _refuse_another(fact, channel, key)
        except wire.Malformed as error:
            self.poisoned += 1
            vitals.UNREADABLE.add()
            _log.error(
                "message cannot be read",
                subject=message.subject,
                sequence=message.sequence,
                reason=str(error),
            )
            return None
        vitals.FACTS_HEARD.add(channel.kind)
        return Heard(channel, key, fact, message.sequence, message.headers, message.event)

    def _fact(self, message: Message, channel: Channel[Any]) -> Fact | None:
        if self._told and (id_ := message.headers.get("ce-id")) in self._told:
            return self._told[id_]
        return wire.decode(message.data, cast("type[Fact]", channel.fact | None))

    async def open_all(self, found: Sequence[Message]) -> tuple[Heard[Any], ...]:
        """Those that can be read. A fleet is much to read: others get their turn in between."""
        opened = []
        for start in range(0, len(found), _AT_A_TIME):
            portion = map(self.open, found[start : start + _AT_A_TIME])
            opened += [heard for heard in portion if heard is not None]
            await asyncio.sleep(0)
        return tuple(opened)


def _refuse_another(fact: Fact | None, channel: Channel[Any], key: tuple[str, ...]) -> None:
    """The bus lets each author write to its own subjects only: it must not say there what is of others'."""
    if fact is None and len(key) != len(channel.key_names):
        raise wire.Malformed(f"a {channel.kind} is under {' and '.join(channel.key_names)}, not under {key}")
    if fact is not None and (said := channel.key(fact)) != key:
        raise wire.Malformed(f"it speaks of {said}, and its subject is of {key}")


def refuse_large(sealed: Sequence[Sealed], most_bytes: int) -> None:
    """Before any of it is sent. Raises `TooLarge`."""
    for subject, body, _ in sealed:
        if len(body) + _HEADERS_BYTES > most_bytes:
            raise TooLarge(
                f"telling {subject}: {len(body)} bytes, and a message of this server may have {most_bytes}"
                f" with its headers"
            )


def outcome(subject: str, answer: dict[str, Any]) -> Committed | Stale:
    """What became of a commit, by the stream's answer to its last message. Raises `BusUnavailable`."""
    match answer:
        case {"error": {"err_code": code, "description": reason}} if code == _WRONG_LAST_SEQUENCE:
            return Stale(f"{subject}: {reason}")
        case {"error": {"description": reason, "err_code": code}}:
            raise BusUnavailable(f"telling {subject}: {reason} ({code})")
        case _:
            return Committed(answer["seq"])


def as_shown(url: str) -> str:
    """Where the bus is, for a log or an error: without the user and password that may stand in it."""
    return ",".join(_PASSWORD.sub("", server) for server in _SERVERS.split(url))
