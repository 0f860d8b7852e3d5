"""Answer questions: each in a task of its own, whatever becomes of it.

A question that cannot be read, a bus that is away and a bug are answers too: whoever asked is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Protocol, cast

from slicewire.common import telemetry
from slicewire.common.bus.port import BusUnavailable, Declined, KeyedHandler
from slicewire.common.logs import Log
from slicewire.common.messages import Endpoint
from slicewire.common.model import wire
from slicewire.common.model.struct import Object

Handler = Callable[[Any], Awaitable[Any]]
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

    async def answer(question: Question) -> None:
        parent = question.headers or {}
        with telemetry.span(f"answer {endpoint.name}", kind=telemetry.Kind.SERVER, parent=parent) as span:
            answered = await _answered(endpoint, handler, question.data)
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
    except BusUnavailable as error:
        return Declined(503, str(error))
    except Exception as error:  # noqa: BLE001 - the top of one work item: said, and the rest goes on
        _log.crashed("request failed", endpoint=endpoint.name)
        return Declined(500, f"{type(error).__name__}: {error}")
