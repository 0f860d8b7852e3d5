"""NATS' client, quicker where it spends most of its time: messages that come, and questions that are asked.

A part of the door: only nats.py and connection.py import it. Refuses to know what a message means.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import re
import ssl
from collections.abc import Callable
from typing import Any, cast

import nats.errors
from nats.aio.client import Client
from nats.protocol.parser import AWAITING_CONTROL_LINE, Parser

from slicewire.common.bus import lines
from slicewire.common.bus.identity import Access

_ANSWER_SECONDS = 5.0
_NOBODY = b"NATS/1.0 503"
_NOT_ALLOWED = re.compile(r'permissions violation for publish to "([^"]*)"')
"""As the client hands it over, in lower case."""
_HALF_CLOSED = "returning true from eof_received() has no effect when using ssl"
logging.getLogger("asyncio").addFilter(lambda record: record.getMessage() != _HALF_CLOSED)
"""The client leaves TLS connections as asyncio's streams do, and asyncio warns of its own streams."""


class Refused(nats.errors.Error):
    """We may not say this."""


class QuickClient(Client):
    """The client, quicker with messages; see lines.py."""

    def __init__(self) -> None:
        super().__init__()
        self._ps = _Parser(self)
        self.direct: dict[int, Callable[[lines.Arrived], None]] = {}
        """By subscription, who gets its messages as soon as they are read, without a queue between."""
        self._answers_to = ""
        self._questions: dict[bytes, tuple[str, asyncio.Future[lines.Arrived]]] = {}
        """By where the answer comes: the subject, and who waits."""
        self.refused: set[str] = set()
        """Subjects, in lower case, on which the server has not let us say anything."""
        self._numbers = itertools.count(1)
        self.access = Access("", "")

    @property
    def ssl_context(self) -> ssl.SSLContext:
        return self.access.believing()  # made anew each time: the authority may have been replaced

    async def _connect_to_server(self, server: Any) -> None:
        # Of an attempt that came to nothing: the client leaves it open.
        if (before := getattr(self._transport, "_bare_io_writer", None)) is not None:
            before.transport.abort()
        await super()._connect_to_server(server)

    def _connect_command(self) -> bytes:
        if self.access.must_encrypt and not self._server_info.get("tls_required"):
            raise nats.errors.Error("nats: the server does not speak TLS, and SLICEWIRE_NATS_CA asks for it")
        return super()._connect_command()

    async def _process_err(self, err_msg: str) -> None:
        """Credentials that expired or were revoked may be replaced: the client itself would give up."""
        if refused := _NOT_ALLOWED.search(err_msg):
            await super()._process_err(err_msg)
            self._refuse(refused[1])
        elif "auth" in err_msg.lower():
            error = nats.errors.Error(f"nats: {err_msg}")
            await self._error_cb(error)
            await self._process_op_err(error)
        else:
            await super()._process_err(err_msg)

    def _refuse(self, subject: str) -> None:
        """Whoever asked it would wait in vain."""
        self.refused.add(subject)
        for asked, question in self._questions.values():
            if asked.lower() == subject and not question.done():
                question.set_exception(Refused(f"nats: not allowed to say {asked}"))

    async def expect_answers(self) -> None:
        """Once, when connected: answers come on one subscription."""
        self._answers_to = self.new_inbox()
        subscription = await self.subscribe(f"{self._answers_to}.*")
        self.direct[subscription._id] = self._answered  # noqa: SLF001

    def _answered(self, message: lines.Arrived) -> None:
        found = self._questions.get(message.subject)
        if found is not None and not found[1].done():
            found[1].set_result(message)

    async def asked(
        self,
        subject: str,
        body: bytes,
        headers: dict[str, str] | None = None,
        seconds: float = _ANSWER_SECONDS,
    ) -> lines.Arrived:
        """The answer to a question. Fewer tasks and timers lie between than with the client's `request`."""
        reply = f"{self._answers_to}.{next(self._numbers)}"
        loop = asyncio.get_running_loop()
        question: asyncio.Future[lines.Arrived] = loop.create_future()
        self._questions[reply.encode()] = subject, question
        late = loop.call_later(seconds, _give_up, question)
        try:
            await self.publish(subject, body, reply=reply, headers=headers)
            answer = await question
        finally:
            late.cancel()
            del self._questions[reply.encode()]
        if answer.head is not None and answer.head.startswith(_NOBODY):
            raise nats.errors.NoRespondersError
        return answer

    async def arrived(self, message: lines.Arrived) -> None:
        deliver = self.direct.get(message.subscription)
        if deliver is not None:
            deliver(message)
            return
        subject, subscription, reply, head, data = message
        await self._process_msg(subscription, subject, reply, data, cast("bytes", head))

    async def _process_msg(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes | None
    ) -> None:
        """A message that the client's own parser has read: after a PING, say. It goes the same way."""
        deliver = self.direct.get(sid)
        if deliver is not None:
            deliver(lines.Arrived(bytes(subject), sid, bytes(reply), headers or None, bytes(data)))
            return
        await super()._process_msg(sid, subject, reply, data, cast("bytes", headers))

    async def _process_headers(self, headers: bytes | None) -> Any:
        return lines.Headers.plain(headers) or await super()._process_headers(headers)

    async def _send_publish(
        self, subject: str, reply: str, payload: bytes, payload_size: int, headers: dict[str, Any] | None
    ) -> None:
        head = lines.written(headers) if headers else None
        if head is None:
            await super()._send_publish(subject, reply, payload, payload_size, headers)
            return
        sizes = f"{len(head)} {len(head) + payload_size}"
        command = f"HPUB {subject} {reply} {sizes}\r\n".encode()
        self.stats["out_msgs"] += 1
        self.stats["out_bytes"] += payload_size
        await self._send_command(b"".join((command, head, payload, b"\r\n")))
        if self._flush_queue is not None and self._flush_queue.empty():
            await self._flush_pending()


def _give_up(question: asyncio.Future[lines.Arrived]) -> None:
    if not question.done():
        question.set_exception(nats.errors.TimeoutError())


class _Parser(Parser):
    """Reads messages by the buffer; whatever else comes, and a message that followed it, the client's way."""

    def __init__(self, client: QuickClient) -> None:
        super().__init__(client)
        self._client = client

    async def parse(self, data: bytes = b"") -> None:
        if self.state != AWAITING_CONTROL_LINE:
            await super().parse(data)
            return
        buffer = bytes(self.buf) + data if self.buf else bytes(data)
        found, end = lines.messages_in(buffer)
        self.buf = bytearray(buffer[end:])
        for message in found:
            await self._client.arrived(message)
        if self.buf and not lines.may_become_message(self.buf):
            await super().parse()
