"""The door to NATS. Nothing else imports the client.

Traps met on a real server and kept in here: a dot in a name would be a new subject token; a durable
consumer's name fixes its filter, so it is made of taker and channel and never chosen by a caller;
what is published during an outage may still arrive after it, so every write is whole, or guarded by
the sequence it expects.
"""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar, cast

import nats
import nats.errors
import nats.micro
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.micro.request import Request

from slicewire.common import messages, telemetry
from slicewire.common.bus import following, streams, taking
from slicewire.common.bus.link import ApiFault, Inbox, Message, Reconnected
from slicewire.common.bus.port import (
    BusTooOld,
    BusUnavailable,
    CaughtUp,
    Committed,
    Declined,
    Heard,
    Stale,
    Write,
)
from slicewire.common.logs import Log
from slicewire.common.messages import Channel, Endpoint, Fact
from slicewire.common.model import wire
from slicewire.common.model.struct import Object

F = TypeVar("F", bound=Fact)
Q = TypeVar("Q", bound=Object)
A = TypeVar("A", bound=Object)

OLDEST_SERVER = (2, 12)
"""Atomic batches came with 2.12; an older server ignores them silently."""
MOST_WRITES = 1000
"""The server's limit for one atomic batch."""
_ANSWER_SECONDS = 5.0
_RECONNECT_SECONDS = 0.25
_EXPECTED = "Nats-Expected-Last-Subject-Sequence"
_WRONG_LAST_SEQUENCE = 10071
_LOST = (
    nats.errors.TimeoutError,
    nats.errors.NoRespondersError,
    nats.errors.ConnectionClosedError,
    nats.errors.OutboundBufferLimitError,
    nats.errors.StaleConnectionError,
    TimeoutError,
)
_DEFAULT_RETENTION = streams.Retention()
_log = Log("bus")


class NatsBus:
    """`Bus` on one NATS connection."""

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self.link = _NatsLink(client)
        self._source = f"/slicewire/{name}"
        self._ids = itertools.count(1)
        self._session = uuid.uuid4().hex
        self.poisoned = 0
        """How many messages on our subjects could not be read."""

    async def tell(self, channel: Channel[F], fact: F) -> int:
        done = await self.commit([Write(channel, channel.key(fact), fact)])
        assert isinstance(done, Committed), "nothing was expected, so nothing can be stale"
        return done.sequence

    async def commit(self, writes: Sequence[Write]) -> Committed | Stale:
        assert 0 < len(writes) <= MOST_WRITES, f"a commit has 1 to {MOST_WRITES} writes, not {len(writes)}"
        batch = uuid.uuid4().hex
        for number, write in enumerate(writes, 1):
            subject, body, headers = self._envelope(write)
            if len(writes) > 1:
                headers |= {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(number)}
            if number < len(writes):
                with _mapped(self._client, f"telling {subject}"):
                    await self._client.publish(subject, body, headers=headers)
                continue
            if len(writes) > 1:
                headers["Nats-Batch-Commit"] = "1"
            return await self._committed(subject, body, headers)
        raise AssertionError("unreachable: the last write returns")

    def _envelope(self, write: Write) -> tuple[str, bytes, dict[str, str]]:
        """Subject, body and headers: CloudEvents 1.0 (NATS binding, binary mode) and trace context."""
        name = write.channel.fact.__name__
        headers = {
            "content-type": "application/json",
            "ce-specversion": "1.0",
            "ce-id": f"{self._session}-{next(self._ids)}",
            "ce-source": self._source,
            "ce-type": f"dev.slicewire.v1.{name}",
            "ce-time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            **({"traceparent": write.trace} if write.trace else telemetry.headers()),
        }
        if write.expected is not None:
            headers[_EXPECTED] = str(write.expected)
        if write.fact is None:
            headers["Nats-TTL"] = f"{streams.TOMBSTONE_SECONDS}s"
        return write.channel.subject(*write.key), wire.encode(write.fact), headers

    async def _committed(self, subject: str, body: bytes, headers: dict[str, str]) -> Committed | Stale:
        with _mapped(self._client, f"telling {subject}"):
            reply = await self._client.request(subject, body, timeout=_ANSWER_SECONDS, headers=headers)
        answer = wire.decode(reply.data, dict[str, Any])
        match answer:
            case {"error": {"err_code": code, "description": reason}} if code == _WRONG_LAST_SEQUENCE:
                return Stale(f"{subject}: {reason}")
            case {"error": {"description": reason, "err_code": code}}:
                raise BusUnavailable(f"telling {subject}: {reason} ({code})")
            case _:
                return Committed(answer["seq"])

    async def follow(self, *channels: Channel[Any]) -> AsyncIterator[Heard[Any] | CaughtUp]:
        patterns = [channel.pattern for channel in channels]
        async for message in following.follow(self.link, messages.STATE_STREAM, patterns):
            if isinstance(message, CaughtUp):
                yield message
            elif (heard := self._heard(message)) is not None:
                yield heard

    def _heard(self, message: Message) -> Heard[Any] | None:
        """None for what cannot be read: counted and said, and the rest goes on."""
        channel = messages.channel_of(message.subject)
        if channel is None:
            return None
        try:
            fact = wire.decode(message.data, cast("type[Fact]", channel.fact | None))
        except wire.Malformed as error:
            self.poisoned += 1
            _log.error(
                "message cannot be read",
                subject=message.subject,
                sequence=message.sequence,
                reason=str(error),
            )
            return None
        key = channel.key_of(message.subject)
        return Heard(channel, key, fact, message.sequence, message.headers)

    async def take(self, channel: Channel[F], by: str) -> AsyncIterator[_Taken[F]]:
        durable = f"{by}-{channel.kind}"
        async for message in taking.take(self.link, messages.STATE_STREAM, durable, channel.pattern):
            heard = self._heard(message)
            if heard is None:
                await self.link.send(message.reply, b"+TERM")
            else:
                yield _Taken(self.link, heard, message.reply)

    async def ask(
        self, endpoint: Endpoint[Q, A], request: Q, *key: str, timeout_seconds: float = _ANSWER_SECONDS
    ) -> A | Declined:
        subject = endpoint.subject(*key)
        with telemetry.span(f"ask {endpoint.name}", kind=telemetry.Kind.CLIENT):
            headers = {"content-type": "application/json", **telemetry.headers()}
            try:
                with _mapped(self._client, f"asking {subject}"):
                    reply = await self._client.request(
                        subject, wire.encode(request), timeout=timeout_seconds, headers=headers
                    )
            except BusUnavailable as error:
                if isinstance(error.__cause__, nats.errors.NoRespondersError):
                    return Declined(503, f"no {endpoint.server} answers {endpoint.name} requests")
                raise
        found = reply.headers or {}
        if "Nats-Service-Error-Code" in found:
            return Declined(int(found["Nats-Service-Error-Code"]), found["Nats-Service-Error"])
        return wire.decode(reply.data, endpoint.reply)

    @asynccontextmanager
    async def serve(
        self, handlers: Mapping[Endpoint[Any, Any], Callable[[Any], Awaitable[Any]]], *key: str, name: str
    ) -> AsyncIterator[None]:
        """Each request runs in a task of its own: one that waits holds up nobody."""
        async with asyncio.TaskGroup() as tasks:
            service = await nats.micro.add_service(
                self._client, name=f"slicewire-{name}", version="0.1.0", description=f"Slicewire {name}"
            )
            for endpoint, handler in handlers.items():
                await service.add_endpoint(
                    name=endpoint.name,
                    subject=endpoint.subject(*key),
                    handler=_handing_over(tasks, endpoint, handler),
                )
            with _mapped(self._client, f"serving {name}"):
                await self._client.flush()  # from here on a question finds its server
            try:
                yield
            finally:
                with suppress(*_LOST):
                    await service.stop()


class _Taken(Generic[F]):
    """`Delivery` by JetStream's ack protocol."""

    def __init__(self, link: _NatsLink, heard: Heard[F], reply: str) -> None:
        self._link = link
        self._reply = reply
        self.heard = heard

    async def ack(self) -> None:
        await self._link.send(self._reply, b"+ACK")

    async def retry(self, after_seconds: float) -> None:
        delay = {"delay": int(after_seconds * 1_000_000_000)}
        await self._link.send(self._reply, b"-NAK " + wire.encode(delay))


class _NatsLink:
    """`Link` on one NATS connection."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._inboxes: set[Inbox] = set()

    async def api(self, call: str, request: Mapping[str, Any]) -> dict[str, Any]:
        with _mapped(self._client, f"JetStream {call}"):
            reply = await self._client.request(
                f"$JS.API.{call}", wire.encode(request), timeout=_ANSWER_SECONDS
            )
        answer = wire.decode(reply.data, dict[str, Any])
        if error := answer.get("error"):
            raise ApiFault(error.get("err_code", error["code"]), error.get("description", ""))
        return answer

    async def send(self, subject: str, data: bytes, reply: str = "") -> None:
        with _mapped(self._client, f"sending {subject}"):
            await self._client.publish(subject, data, reply=reply)

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[tuple[str, Inbox]]:
        inbox: Inbox = asyncio.Queue()
        subject = self._client.new_inbox()

        async def arrived(message: Msg) -> None:
            inbox.put_nowait(_message(message))

        subscription = await self._client.subscribe(subject, cb=arrived)
        self._inboxes.add(inbox)
        try:
            yield subject, inbox
        finally:
            self._inboxes.discard(inbox)
            with suppress(*_LOST, nats.errors.BadSubscriptionError):
                await subscription.unsubscribe()

    async def reconnected(self) -> None:
        for inbox in self._inboxes:
            inbox.put_nowait(Reconnected())


def _message(message: Msg) -> Message:
    headers = message.headers or {}
    if not message.reply.startswith("$JS.ACK."):
        return Message(message.subject, message.data, headers, message.reply)
    numbers = message.metadata
    return Message(
        message.subject,
        message.data,
        headers,
        message.reply,
        sequence=numbers.sequence.stream,
        delivery=numbers.sequence.consumer,
        pending=numbers.num_pending,
    )


def _handing_over(
    tasks: asyncio.TaskGroup, endpoint: Endpoint[Any, Any], handler: Callable[[Any], Awaitable[Any]]
) -> Callable[[Request], Awaitable[None]]:
    async def answer(request: Request) -> None:
        with telemetry.span(
            f"answer {endpoint.name}", kind=telemetry.Kind.SERVER, parent=request.headers or {}
        ) as span:
            reply = await _reply(endpoint, handler, request.data)
            if isinstance(reply, Declined):
                span.failed(reply.reason)
        with suppress(*_LOST):
            if isinstance(reply, Declined):
                one_line = " ".join(reply.reason.split())  # a header ends at a line break
                await request.respond_error(str(reply.code), one_line)
            else:
                await request.respond(wire.encode(reply), headers={"content-type": "application/json"})

    async def hand_over(request: Request) -> None:
        tasks.create_task(answer(request))

    return hand_over


async def _reply(
    endpoint: Endpoint[Any, Any], handler: Callable[[Any], Awaitable[Any]], data: bytes
) -> Object | Declined:
    try:
        return cast("Object | Declined", await handler(wire.decode(data, endpoint.request)))
    except wire.Malformed as error:
        return Declined(400, f"not a {endpoint.request.__name__}: {error}")
    except BusUnavailable as error:
        return Declined(503, str(error))
    except Exception as error:  # noqa: BLE001 - the top of one work item: said, and the rest goes on
        _log.crashed("request failed", endpoint=endpoint.name)
        return Declined(500, f"{type(error).__name__}: {error}")


@contextmanager
def _mapped(client: Client, attempt: str) -> Iterator[None]:
    """No error of the client's leaves this file, and nothing is buffered for a server that is away."""
    if not client.is_connected:
        raise BusUnavailable(f"{attempt}: not connected")
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    try:
        yield
    except _LOST as error:
        raise BusUnavailable(f"{attempt}: {type(error).__name__}") from error
    finally:
        # asyncio.wait_for before Python 3.12, which the client uses, swallows a cancellation that
        # comes together with the answer: then whoever was told to stop never would.
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError


@asynccontextmanager
async def connected(
    url: str,
    *,
    name: str,
    credentials: str = "",
    retention: streams.Retention = _DEFAULT_RETENTION,
    patience_seconds: float | None = None,
) -> AsyncIterator[NatsBus]:
    """A bus for as long as the context is open; afterwards everything sent has left.

    Waits for a server for ever, or for `patience_seconds`; then raises `BusUnavailable`. Raises
    `BusTooOld` for a server without what Slicewire stands on.
    """
    client = Client()
    link_box: list[_NatsLink] = []

    async def reconnected() -> None:
        _log.info("bus is back", url=url)
        for link in link_box:
            with suppress(BusUnavailable, ApiFault):  # whoever follows or tells finds out and tries again
                await streams.ensure(link, retention)  # a server may come back without its disk
            await link.reconnected()

    async def disconnected() -> None:
        if not client.is_closed:
            _log.warning("bus is away", url=url)

    async def quiet(error: Exception) -> None:
        _log.debug("bus", reason=repr(error))

    options: dict[str, Any] = {
        "name": f"slicewire-{name}",
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": _RECONNECT_SECONDS,
        "reconnected_cb": reconnected,
        "disconnected_cb": disconnected,
        "error_cb": quiet,
    }
    if credentials:
        options["user_credentials"] = credentials
    try:
        await _connect(client, url, options, patience_seconds)
        _refuse_old(client)
        bus = NatsBus(client, name)
        link_box.append(bus.link)
        await _ensure_streams(bus, retention, patience_seconds)
        yield bus
    finally:
        if client.is_connected:
            with suppress(*_LOST):
                await client.flush(timeout=2)
        if not client.is_connected:  # closing would drain to a server that is away, and raise
            client._pending, client._pending_data_size = [], 0  # noqa: SLF001
        await client.close()


async def _connect(client: Client, url: str, options: dict[str, Any], patience_seconds: float | None) -> None:
    try:
        async with asyncio.timeout(patience_seconds):
            await client.connect(servers=url, **options)
    except (TimeoutError, nats.errors.Error, OSError) as error:
        raise BusUnavailable(f"no NATS server answers at {url}") from error


def _refuse_old(client: Client) -> None:
    version = client.connected_server_version
    if (version.major, version.minor) < OLDEST_SERVER:
        raise BusTooOld(
            f"nats-server {version.major}.{version.minor}.{version.patch} is too old: Slicewire needs 2.12 or"
            " newer (atomic batches); an older one ignores them silently"
        )


async def _ensure_streams(bus: NatsBus, retention: streams.Retention, patience_seconds: float | None) -> None:
    async with asyncio.timeout(patience_seconds):
        while True:
            try:
                return await streams.ensure(bus.link, retention)
            except (BusUnavailable, ApiFault) as error:
                if patience_seconds is not None:
                    raise BusUnavailable(f"JetStream does not answer: {error}") from error
                _log.warning("JetStream does not answer yet", reason=str(error))
            await asyncio.sleep(_RECONNECT_SECONDS)
