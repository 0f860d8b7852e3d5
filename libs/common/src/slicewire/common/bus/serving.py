"""Answer questions: each in a task of its own, whatever becomes of it.

A question that cannot be read, a bus that is away and a bug are answers too: whoever asked is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Protocol, cast

from slicewire.common import telemetry, vitals
from slicewire.common.bus.port import BusUnavailable, Declined, KeyedHandler, TooLarge
from slicewire.common.logs import Log
from slicewire.common.messages import Endpoint
from slicewire.common.model import wire
from slicewire.common.model.struct import Object

Handler = Callable[[Any], Awaitable[Any]]
_HEADERS_BYTES = 2048
_LONGEST_REASON = 4000
_log = Log("bus")


class Question(Protocol):
    """A request, as a NATS micro service gets it."""

    @property
    def subject(self) -> str: ...
    @property
    def data(self) -> bytes: ...
    @property
    def headers(self) -> Mapping[str, str] | None: ...


Reply = Callable[[Question, Object | Declined], Awaitable[None]]
"""Sends what is answered to whoever asked."""
Route = Callable[[Question], Awaitable[None]]
"""What to do with a question."""


def handing_over(
    tasks: asyncio.TaskGroup, endpoint: Endpoint[Any, Any], handler: Handler, reply: Reply
) -> Route:
    """What to do with each question of an endpoint: one that takes long holds up nobody."""

    new_span = telemetry.span if endpoint.is_traced else telemetry.no_span

    async def answer(question: Question) -> None:
        parent = question.headers or {}
        with new_span(f"answer {endpoint.name}", kind=telemetry.Kind.SERVER, parent=parent) as span:
            with vitals.ANSWER_SECONDS.timing(endpoint.name):
                answered = await _answered(endpoint, handler, question.data)
            vitals.ANSWERS.add(endpoint.name, str(answered.code if isinstance(answered, Declined) else 200))
            if isinstance(answered, Declined):
                span.failed(answered.reason)
        await reply(question, answered)

    async def hand_over(question: Question) -> None:
        tasks.create_task(answer(question))

    return hand_over


def handing_over_keyed(
    tasks: asyncio.TaskGroup, endpoint: Endpoint[Any, Any], handler: KeyedHandler, reply: Reply
) -> Route:
    """The same, where the handler is told to which key the question was put."""

    async def hand_over(question: Question) -> None:
        of_key = partial(handler, endpoint.key_of(question.subject))
        await handing_over(tasks, endpoint, of_key, reply)(question)

    return hand_over


async def _answered(endpoint: Endpoint[Any, Any], handler: Handler, data: bytes) -> Object | Declined:
    try:
        return cast("Object | Declined", await handler(wire.decode(data, endpoint.request)))
    except wire.Malformed as error:
        return Declined(400, f"not a {endpoint.request.__name__}: {error}")
    except TooLarge as error:
        return Declined(400, str(error))
    except BusUnavailable as error:
        return Declined(503, str(error))
    except Exception as error:  # noqa: BLE001 - the top of one work item: said, and the rest goes on
        _log.crashed("request failed", endpoint=endpoint.name)
        return Declined(500, f"{type(error).__name__}: {error}")


def sealed(reply: Object | Declined, most_bytes: int) -> bytes | Declined:
    """An answer as it is sent, or why it cannot be. A reason stands in a header: one line, and short."""
    if isinstance(reply, Declined):
        return Declined(reply.code, _in_a_line(reply.reason))
    try:
        body = wire.encode(reply)
    except RecursionError:
        return Declined(400, "the answer would be nested too deep")
    if len(body) + _HEADERS_BYTES > most_bytes:
        return Declined(413, f"the answer has {len(body)} bytes, more than a message may have: ask for less")
    return body


def _in_a_line(reason: str) -> str:
    line = " ".join(reason.split())
    shown = line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]}…"
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in shown)
