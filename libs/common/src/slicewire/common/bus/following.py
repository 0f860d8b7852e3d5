"""Follow subjects of a stream across outages: the latest of each, or all since some message, then the new.

An ephemeral push consumer without acks, made anew from the next sequence whenever something may
have been lost: a gap in its numbering, a missed heartbeat, a new connection.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Sequence

import msgspec

from slicewire.common import vitals
from slicewire.common.bus import filtering
from slicewire.common.bus.link import ApiFault, Inbox, Link, Message, Reconnected, next_of
from slicewire.common.bus.port import REFUSED_SECONDS, BusUnavailable, CaughtUp, NotAllowed, StreamLost
from slicewire.common.bus.streams import TOMBSTONE_SECONDS

_HEARTBEAT_SECONDS = 2
_SILENCE_SECONDS = 2.5 * _HEARTBEAT_SECONDS
_RETRY_SECONDS = 0.5
_STALLED = "Nats-Consumer-Stalled"
"""In a heartbeat: what flow control waits for, told again in case it was lost."""
_NANOSECONDS = 1_000_000_000


class _Place(msgspec.Struct):
    """Where the following is."""

    heard: int = 0
    """The last sequence heard."""
    is_replay: bool = False
    """Begin right after it, even if it is 0."""
    target: int = 0
    """Everything up to this sequence is old news; `CaughtUp` follows it."""
    caught_up: bool = False
    last_contact: float = 0.0
    created: str = ""
    """When the stream was made: another time is another stream."""
    latest: Message | None = None
    """What was heard last."""
    inbox: Inbox | None = None

    @property
    def waiting(self) -> int:
        """At least so many come after what was heard last: there, or still on their way."""
        here = self.inbox.qsize() if self.inbox is not None else 0
        return max(here, self.latest.pending if self.latest is not None else 0)

    @property
    def told_at(self) -> str:
        return self.latest.headers.get("ce-time", "") if self.latest is not None else ""


async def follow(
    link: Link, stream: str, subjects: Sequence[str], after: int | None = None
) -> AsyncIterator[Message | CaughtUp]:
    """The latest of each subject first, or everything `after` a sequence; then what is new.

    Raises `StreamLost` where going on could miss something; every other fault is waited out.
    """
    place = _Place(last_contact=time.monotonic(), heard=after or 0, is_replay=after is not None)
    has_others = filtering.brings_others(subjects)
    with vitals.following(stream, place):
        while True:
            try:
                await _look(link, stream, place)
                # What an older consumer sends is not for us.
                async with link.listen() as (inbox_subject, inbox):
                    place.inbox = inbox
                    pending = await _consume(link, stream, subjects, inbox_subject, place)
                    if not pending and not place.caught_up:
                        place.caught_up = True
                        yield CaughtUp(place.target)
                    async for message in _messages(link, inbox, place):
                        place.heard, place.latest = max(place.heard, message.sequence), message
                        if not has_others or filtering.is_wanted(message.subject, subjects):
                            yield message
                        if not place.caught_up and (message.pending == 0 or message.sequence >= place.target):
                            place.caught_up = True
                            yield CaughtUp(message.sequence)
            except StreamLost:
                raise
            except (BusUnavailable, ApiFault) as error:
                _refuse_if_too_long_away(place)
                await asyncio.sleep(REFUSED_SECONDS if isinstance(error, NotAllowed) else _RETRY_SECONDS)


def _refuse_if_too_long_away(place: _Place) -> None:
    if place.heard and time.monotonic() - place.last_contact > TOMBSTONE_SECONDS / 2:
        raise StreamLost("away from the bus for so long that the end of a key may have been missed")


async def _look(link: Link, stream: str, place: _Place) -> None:
    """Is it the stream it was, and how far has it come?"""
    info = await link.api(f"STREAM.INFO.{stream}", {})
    if place.created not in ("", info["created"]):
        raise StreamLost(f"stream {stream} was made anew at {info['created']}")
    place.created = info["created"]
    place.target = info["state"]["last_seq"]


async def _consume(
    link: Link, stream: str, subjects: Sequence[str], inbox_subject: str, place: _Place
) -> int:
    """Make the consumer; returns how many messages wait for it."""
    start = (
        {"deliver_policy": "by_start_sequence", "opt_start_seq": place.heard + 1}
        if place.heard or place.is_replay
        else {"deliver_policy": "last_per_subject"}
    )
    config = {
        **start,
        "name": uuid.uuid4().hex,  # nobody who does not know it can change it
        **filtering.filters(subjects),
        "deliver_subject": inbox_subject,
        "ack_policy": "none",
        "replay_policy": "instant",
        "mem_storage": True,
        "num_replicas": 1,
        "flow_control": True,
        "idle_heartbeat": _HEARTBEAT_SECONDS * _NANOSECONDS,
        "inactive_threshold": 30 * _NANOSECONDS,
    }
    call = filtering.call(stream, config)
    made = await link.api(call, {"stream_name": stream, "config": config})
    place.last_contact = time.monotonic()
    return int(made["num_pending"]) + int(made["delivered"]["consumer_seq"])


async def _messages(link: Link, inbox: Inbox, place: _Place) -> AsyncIterator[Message]:
    """The messages of one consumer, for as long as none can be missing."""
    expected = 1
    while True:
        try:
            item = await next_of(inbox, _SILENCE_SECONDS)
        except TimeoutError:
            return
        match item:
            case Reconnected():
                return
            case Message(delivery=0):
                place.last_contact = time.monotonic()
                if reply := item.reply or item.headers.get(_STALLED):
                    await link.send(reply, b"")  # the server waits until we say we have come this far
            case Message() if item.delivery != expected:
                return
            case _:
                place.last_contact = time.monotonic()
                expected += 1
                yield item
