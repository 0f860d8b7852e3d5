"""Following, against a server that does what real ones do under load, one message at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from slicewire.common.bus.following import follow
from slicewire.common.bus.link import Inbox, Message
from slicewire.common.bus.port import CaughtUp


class Server:
    """`Link` with a stream of ten facts behind it. `consumers` are their deliver subjects, in order."""

    def __init__(self) -> None:
        self.consumers: list[str] = []
        self.begun_at: list[int | None] = []
        self.sent: asyncio.Queue[str] = asyncio.Queue()
        self.inboxes: dict[str, Inbox] = {}
        self.at_once: list[Message] = []
        """What a consumer sends before its creation is answered."""

    async def api(self, call: str, request: Mapping[str, Any]) -> dict[str, Any]:
        if call.startswith("STREAM.INFO"):
            return {"created": "today", "state": {"last_seq": 10}}
        config = request["config"]
        self.consumers.append(config["deliver_subject"])
        self.begun_at.append(config.get("opt_start_seq"))
        for message in self.at_once:
            self.inboxes[config["deliver_subject"]].put_nowait(message)
        return {"num_pending": 10, "delivered": {"consumer_seq": 0}}

    async def send(self, subject: str, data: bytes, reply: str = "") -> None:
        self.sent.put_nowait(subject)

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[tuple[str, Inbox]]:
        subject, inbox = f"inbox-{len(self.inboxes)}", Inbox()
        self.inboxes[subject] = inbox
        yield subject, inbox

    def deliver(self, consumer: int, *messages: Message) -> None:
        for message in messages:
            self.inboxes[self.consumers[consumer]].put_nowait(message)


def fact(sequence: int, delivery: int) -> Message:
    return Message("s", b"{}", {}, "ack", sequence=sequence, delivery=delivery, pending=9)


def flow_control() -> Message:
    return Message("s", b"", {"Status": "100"}, "flow")


async def heard(following: AsyncIterator[Message | CaughtUp]) -> int:
    async with asyncio.timeout(5):
        return (await anext(following)).sequence


async def test_flow_control_is_answered_though_it_came_before_the_consumer_was_known() -> None:
    server = Server()
    server.at_once = [fact(1, 1), flow_control(), fact(2, 2)]
    following = follow(server, "S", ["s"])
    assert [await heard(following), await heard(following)] == [1, 2]
    assert server.sent.get_nowait() == "flow"


async def test_a_stalled_consumer_is_told_to_go_on() -> None:
    server = Server()
    server.at_once = [
        fact(1, 1),
        Message("s", b"", {"Status": "100", "Nats-Consumer-Stalled": "lost-flow"}),
        fact(2, 2),
    ]
    following = follow(server, "S", ["s"])
    assert [await heard(following), await heard(following)] == [1, 2]
    assert server.sent.get_nowait() == "lost-flow"


async def test_what_the_consumer_before_still_sends_is_not_heard_any_more() -> None:
    server = Server()
    server.at_once = [fact(1, 1)]
    following = follow(server, "S", ["s"])
    assert await heard(following) == 1
    server.at_once = [fact(2, 1)]
    server.deliver(0, fact(4, 3))  # its second was lost
    assert await heard(following) == 2
    assert server.begun_at == [None, 2]
    server.deliver(0, fact(5, 4))
    server.deliver(1, fact(3, 2))
    assert await heard(following) == 3
    assert len(server.consumers) == 2
