"""The door to NATS. Nothing else imports the client.

Traps met on a real server and kept in here: a dot in a name would be a new subject token; a durable
consumer's name fixes its filter, so it is made of taker and channel and never chosen by a caller;
what is published during an outage may still arrive after it, so every write is whole, or guarded by
the sequence it expects.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import nats
import nats.errors
import nats.micro

from slicewire.common import messages, telemetry, vitals
from slicewire.common.bus import following, lines, past, serving, streams, taking
from slicewire.common.bus.client import QuickClient
from slicewire.common.bus.complaints import Complaints
from slicewire.common.bus.connection import LOST, NatsLink, from_askers, mapped, servers
from slicewire.common.bus.envelope import Envelopes, as_shown, outcome, refuse_large
from slicewire.common.bus.identity import Access
from slicewire.common.bus.link import ApiFault
from slicewire.common.bus.port import (
    BusTooOld,
    BusUnavailable,
    CaughtUp,
    Committed,
    Declined,
    Heard,
    KeyedHandler,
    Past,
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
_DEFAULT_RETENTION = streams.Retention()
_log = Log("bus")


class NatsBus:
    """`Bus` on one NATS connection."""

    def __init__(self, client: QuickClient, name: str) -> None:
        self._client = client
        self.link = NatsLink(client)
        self._envelopes = Envelopes(name)

    @property
    def poisoned(self) -> int:
        """How many messages on our subjects could not be read."""
        return self._envelopes.poisoned

    async def tell(self, channel: Channel[F], fact: F) -> int:
        done = await self.commit([Write(channel, channel.key(fact), fact)])
        assert isinstance(done, Committed), "nothing was expected, so nothing can be stale"
        return done.sequence

    async def commit(self, writes: Sequence[Write]) -> Committed | Stale:
        assert 0 < len(writes) <= MOST_WRITES, f"a commit has 1 to {MOST_WRITES} writes, not {len(writes)}"
        sealed = self._envelopes.seal(writes)
        refuse_large(sealed, self._client.max_payload)
        *before, (subject, body, headers) = sealed
        for earlier, its_body, its_headers in before:
            with mapped(self._client, f"telling {earlier}"):
                await self._client.publish(earlier, its_body, headers=its_headers)
        with mapped(self._client, f"telling {subject}"):
            reply = await self._client.asked(subject, body, headers)
        return vitals.told(writes, outcome(subject, wire.decode(reply.data, dict[str, Any])))

    async def follow(self, *channels: Channel[Any]) -> AsyncIterator[Heard[Any] | CaughtUp]:
        patterns = [channel.pattern for channel in channels]
        async for message in following.follow(self.link, messages.STATE_STREAM, patterns):
            if isinstance(message, CaughtUp):
                yield message
            elif (heard := self._envelopes.open(message)) is not None:
                yield heard

    async def as_of(self, event: int | None, *channels: Channel[Any]) -> Past | Declined:
        try:
            found = await past.as_of(self.link, event, [channel.pattern for channel in channels])
        except ApiFault as fault:
            raise BusUnavailable(f"looking back: {fault}") from fault
        if isinstance(found, Declined):
            return found
        return Past(found.moment, await self._envelopes.open_all(found.messages))

    async def replay(self, after: int, *channels: Channel[Any]) -> AsyncIterator[Heard[Any] | CaughtUp]:
        patterns = [channel.pattern for channel in channels]
        async for message in following.follow(self.link, messages.HISTORY_STREAM, patterns, after):
            if isinstance(message, CaughtUp):
                yield message
            elif (heard := self._envelopes.open(past.replayed(message))) is not None:
                yield heard

    async def take(self, channel: Channel[F], by: str) -> AsyncIterator[taking.Taken[F]]:
        durable = f"{by}-{channel.kind}"
        async for message in taking.take(self.link, messages.STATE_STREAM, durable, channel.pattern):
            heard = self._envelopes.open(message)
            if heard is None:
                await self.link.send(message.reply, b"+TERM")
            else:
                yield taking.Taken(self.link, heard, message.reply)

    async def ask(
        self, endpoint: Endpoint[Q, A], request: Q, *key: str, timeout_seconds: float = _ANSWER_SECONDS
    ) -> A | Declined:
        subject = endpoint.subject(*key)
        span = telemetry.span if endpoint.is_traced else telemetry.no_span
        with span(f"ask {endpoint.name}", kind=telemetry.Kind.CLIENT):
            headers = {"content-type": "application/json", **telemetry.headers()}
            try:
                with mapped(self._client, f"asking {subject}"):
                    reply = await self._client.asked(subject, wire.encode(request), headers, timeout_seconds)
            except BusUnavailable as error:
                if isinstance(error.__cause__, nats.errors.NoRespondersError):
                    return Declined(503, f"no {endpoint.server} answers {endpoint.name} requests")
                raise
        found = {} if reply.head is None else lines.Headers(reply.head)
        try:
            if (code := found.get("Nats-Service-Error-Code")) is not None:
                return Declined(int(code), found["Nats-Service-Error"])
            return wire.decode(reply.data, endpoint.reply)
        except (ValueError, KeyError) as error:
            return Declined(
                502, f"what {endpoint.server} answered to {endpoint.name} cannot be read: {error}"
            )

    @asynccontextmanager
    async def serve(
        self, handlers: Mapping[Endpoint[Any, Any], Callable[[Any], Awaitable[Any]]], *key: str, name: str
    ) -> AsyncIterator[None]:
        """Each request runs in a task of its own: one that waits holds up nobody."""
        async with asyncio.TaskGroup() as tasks:
            routes = {
                endpoint.subject(*key): (
                    endpoint,
                    serving.handing_over(tasks, endpoint, handler, self._respond),
                )
                for endpoint, handler in handlers.items()
            }
            async with self._service(routes, name):
                yield

    @asynccontextmanager
    async def serve_all(
        self, handlers: Mapping[Endpoint[Any, Any], KeyedHandler], *, name: str
    ) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            routes = {
                endpoint.pattern: (
                    endpoint,
                    serving.handing_over_keyed(tasks, endpoint, handler, self._respond),
                )
                for endpoint, handler in handlers.items()
            }
            async with self._service(routes, name):
                yield

    async def _respond(self, request: Any, reply: Object | Declined) -> None:
        answer = serving.sealed(reply, self._client.max_payload)
        with suppress(*LOST):
            if isinstance(answer, Declined):
                await request.respond_error(str(answer.code), answer.reason)
            else:
                await request.respond(answer, headers={"content-type": "application/json"})

    @asynccontextmanager
    async def _service(
        self, routes: Mapping[str, tuple[Endpoint[Any, Any], serving.Route]], name: str
    ) -> AsyncIterator[None]:
        """A NATS micro service, and how it answers what is asked on each subject."""
        service = await nats.micro.add_service(
            self._client, name=f"slicewire-{name}", version="0.1.0", description=f"Slicewire {name}"
        )
        for subject, (endpoint, route) in routes.items():
            await service.add_endpoint(name=endpoint.name, subject=subject, handler=from_askers(route))
        with mapped(self._client, f"serving {name}"):
            await self._client.flush()  # from here on a question finds its server
        try:
            yield
        finally:
            with suppress(*LOST):
                await service.stop()


@asynccontextmanager
async def connected(
    url: str,
    *,
    name: str,
    credentials: str = "",
    authority: str = "",
    retention: streams.Retention = _DEFAULT_RETENTION,
    patience_seconds: float | None = None,
) -> AsyncIterator[NatsBus]:
    """A bus for as long as the context is open; afterwards everything sent has left.

    Waits for a server for ever, or for `patience_seconds`; then raises `BusUnavailable`. Raises
    `BusTooOld` for a server without what Slicewire stands on, `BadSettings` for files of `credentials`
    and `authority` that cannot be used. Both files are read again at every connection.
    """
    client = QuickClient()
    client.access = Access(credentials, authority)
    complaints = Complaints(client.access, as_shown(url))
    options = client.access.options()
    wanted = retention if client.access.makes_streams else None
    link_box: list[NatsLink] = []

    async def reconnected() -> None:
        vitals.BUS_RECONNECTS.add()
        _log.info("bus is back", url=as_shown(url))
        complaints.connected()
        for link in link_box:
            with suppress(BusUnavailable, ApiFault):  # whoever follows or tells finds out and tries again
                await streams.ensure(link, wanted)  # a server may come back without its disk
            await link.reconnected()

    async def disconnected() -> None:
        if not client.is_closed:
            _log.warning("bus is away", url=as_shown(url))

    options |= {
        "servers": servers(url),
        "name": f"slicewire-{name}",
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": _RECONNECT_SECONDS,
        "reconnected_cb": reconnected,
        "disconnected_cb": disconnected,
        "error_cb": complaints.heard,
    }
    try:
        await _connect(client, complaints, options, patience_seconds)
        _refuse_old(client)
        await client.expect_answers()
        bus = NatsBus(client, name)
        link_box.append(bus.link)
        await streams.ensured(bus.link, wanted, patience_seconds)
        _stop_if_told_to()
        with vitals.BUS_CONNECTED.shown(lambda: [((), float(client.is_connected))]):
            yield bus
    finally:
        if client.is_connected:
            with suppress(*LOST):
                await client.flush(timeout=2)
        if not client.is_connected:  # closing would drain to a server that is away, and raise
            client._pending, client._pending_data_size = [], 0  # noqa: SLF001
        await client.close()


async def _connect(
    client: QuickClient, complaints: Complaints, options: dict[str, Any], patience_seconds: float | None
) -> None:
    try:
        async with asyncio.timeout(patience_seconds):
            await client.connect(**options)
    except (TimeoutError, nats.errors.Error, OSError) as error:
        raise BusUnavailable(complaints.in_words()) from error
    complaints.connected()


def _stop_if_told_to() -> None:
    """The client's waits may lose a cancellation as they end (`asyncio.wait_for` before Python 3.12)."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _refuse_old(client: QuickClient) -> None:
    version = client.connected_server_version
    if (version.major, version.minor) < OLDEST_SERVER:
        raise BusTooOld(
            f"nats-server {version.major}.{version.minor}.{version.patch} is too old: Slicewire needs 2.12 or"
            " newer (atomic batches); an older one ignores them silently"
        )
