"""The state as it was right after one event of the history.

The newest message of every subject up to that event, asked for in portions: nats-server gives at most
1,024 at once. A fact that is older than the history, and has not changed since, is taken from the state.
What cannot be known any more is said, never guessed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any

import msgspec

from slicewire.common.bus.link import Link, Message, next_of
from slicewire.common.bus.port import BusUnavailable, Declined
from slicewire.common.messages import (
    CLASSES,
    HISTORY_STREAM,
    INVENTORY,
    LEDGERS,
    NODES,
    STATE_STREAM,
    TAINT_RULES,
    Moment,
)
from slicewire.common.model import wire

_PORTION = 500
_SILENCE_SECONDS = 20.0
_NEARBY = 1000
_SOURCE = "Nats-Stream-Source"
_LASTING = tuple(
    channel.pattern.removesuffix(">") for channel in (INVENTORY, NODES, CLASSES, TAINT_RULES, LEDGERS)
)
"""Keys that come and go rarely. Most claims that are first heard of after an event began after it."""
_KEEP_MORE = f"to keep more, raise max_age and max_bytes of the stream {HISTORY_STREAM}"


class Recalled(msgspec.Struct, frozen=True):
    """One moment, and the message of every key that had one, in the order in which they were told."""

    moment: Moment
    messages: tuple[Message, ...]


class _Span(msgspec.Struct, frozen=True):
    """The first and the last event that the history has."""

    first: int
    last: int


async def as_of(link: Link, event: int | None, patterns: Sequence[str]) -> Recalled | Declined:
    """Raises `BusUnavailable` and `ApiFault`."""
    span = await _span(link)
    if event is None and not span.last:
        return Recalled(Moment(event=0), ())
    event = span.last if event is None else event
    if refusal := _refuse(event, span):
        return refusal
    told = await _event(link, event)
    if told is None:
        return Declined(404, f"event {event} was removed from the history")
    subjects = await _subjects(link, HISTORY_STREAM, patterns)
    found = [message async for message in _latest(link, HISTORY_STREAM, subjects, event)]
    span = await _span(link)
    if refusal := _refuse(event, span):  # the history went on, and forgot, while it was read
        return refusal
    gaps = await _unsourced(link, told, span)
    if span.first > 1:
        missing = subjects - {message.subject for message in found}
        gaps += _forgotten(missing, span)
        found += await _unchanged(link, patterns, subjects, told.sequence)
    found.sort(key=lambda message: message.sequence)
    moment = Moment(event=event, time=told.headers.get("ce-time", ""), gaps=gaps)
    return Recalled(moment, tuple(message for message in found if message.data != b"null"))


def _refuse(event: int, span: _Span) -> Declined | None:
    if event < 1:
        return Declined(400, f"event {event}: the first event is 1")
    if event > span.last:
        return Declined(404, f"event {event} has not been told yet: the last one is {span.last}")
    if event < span.first:
        return Declined(404, f"event {event} is no longer kept: the first one is {span.first}; {_KEEP_MORE}")
    return None


async def _unsourced(link: Link, told: Message, span: _Span) -> tuple[str, ...]:
    """Facts shortly before the event that were superseded before the history had them."""
    begin = max(told.event - _NEARBY, span.first)
    if told.event <= _NEARBY and span.first == 1:
        missing = told.sequence - told.event
    else:
        before = await _event(link, begin)
        if before is None:
            return ()
        missing = (told.sequence - before.sequence) - (told.event - begin)
    if missing <= 0:
        return ()
    facts = "1 fact" if missing == 1 else f"{missing} facts"
    what = "had been superseded before the history had them: a key that changed just then may be shown as"
    return (f"{facts} shortly before it {what} it was before",)


def _forgotten(missing: Collection[str], span: _Span) -> tuple[str, ...]:
    """Keys that began after the event, or whose fact of that time is gone: nothing tells these apart."""
    keys = sorted(subject for subject in missing if subject.startswith(_LASTING))
    if not keys:
        return ()
    named = f"{keys[0]} and {len(keys) - 1} more" if len(keys) > 1 else keys[0]
    begin = f"the history begins with event {span.first}"
    return (f"{begin} and does not tell whether {named} was there before: left out; {_KEEP_MORE}",)


async def _unchanged(
    link: Link, patterns: Sequence[str], changed: Collection[str], until: int
) -> list[Message]:
    """Facts that were told before the history begins, and hold to this day."""
    lasting = await _subjects(link, STATE_STREAM, patterns) - set(changed)
    found = [message async for message in _latest(link, STATE_STREAM, lasting)]
    return [message for message in found if message.sequence <= until]


async def _span(link: Link) -> _Span:
    state = (await link.api(f"STREAM.INFO.{HISTORY_STREAM}", {}))["state"]
    return _Span(state["first_seq"], state["last_seq"])


async def _subjects(link: Link, stream: str, patterns: Sequence[str]) -> set[str]:
    """Every subject that the stream has a message of; nats-server tells them page by page."""
    found: set[str] = set()
    for pattern in patterns:
        page, total = 0, 1
        while page < total:
            request = {"subjects_filter": pattern, "offset": page}
            info = await link.api(f"STREAM.INFO.{stream}", request)
            listed = info["state"].get("subjects") or {}
            found.update(listed)
            page, total = page + max(len(listed), 1), info.get("total", 0)
    return found


async def _latest(
    link: Link, stream: str, subjects: Collection[str], until: int = 0
) -> AsyncIterator[Message]:
    """The newest message of each of these subjects, up to a sequence."""
    waiting = sorted(subjects)
    while waiting:
        portion, waiting = waiting[:_PORTION], waiting[_PORTION:]
        request: dict[str, Any] = {"multi_last": portion, **({"up_to_seq": until} if until else {})}
        found, left = await _direct(link, stream, request)
        for message in found:
            yield message
        if left:  # the server gives so many bytes at once
            waiting += sorted(set(portion) - {message.subject for message in found})


async def _event(link: Link, event: int) -> Message | None:
    """One message of the history by its number."""
    found, _ = await _direct(link, HISTORY_STREAM, {"seq": event})
    return found[0] if found else None


async def _direct(link: Link, stream: str, request: dict[str, Any]) -> tuple[list[Message], int]:
    """What a direct get brings, and how much of it is left. See NATS' ADR 31."""
    found: list[Message] = []
    async with link.listen() as (inbox_subject, inbox):
        await link.send(f"$JS.API.DIRECT.GET.{stream}", wire.encode(request), inbox_subject)
        while True:
            try:
                item = await next_of(inbox, _SILENCE_SECONDS)
            except TimeoutError:
                raise BusUnavailable(f"reading {stream}: no answer in {_SILENCE_SECONDS:g} seconds") from None
            if not isinstance(item, Message):
                raise BusUnavailable(f"reading {stream}: the connection was lost")
            match item.status:
                case "":
                    found.append(_as_told(item, stream))
                    if "seq" in request:
                        return found, 0
                case "204":
                    return found, int(item.headers.get("Nats-Num-Pending", 0))
                case "404":
                    return found, 0
                case "503":
                    raise BusUnavailable(f"reading {stream}: nobody answers; is allow_direct off?")
                case status:
                    raise BusUnavailable(f"reading {stream}: {status} {item.headers.get('Description', '')}")


def _as_told(message: Message, stream: str) -> Message:
    """The message as it was told, out of the envelope of a direct get."""
    headers = message.headers
    number = int(headers["Nats-Sequence"])
    in_history = stream == HISTORY_STREAM
    return Message(
        headers["Nats-Subject"],
        message.data,
        headers,
        sequence=_in_state(headers) if in_history else number,
        event=number if in_history else 0,
    )


def replayed(message: Message) -> Message:
    """A message of the history under both its numbers."""
    sequence, event = _in_state(message.headers), message.sequence
    return msgspec.structs.replace(message, sequence=sequence, event=event)


def _in_state(headers: Mapping[str, str]) -> int:
    """The sequence in the state of a message of the history: `SLICEWIRE_STATE 5 > > …`."""
    words = headers.get(_SOURCE, "").split()
    return int(words[1]) if len(words) > 1 else 0
