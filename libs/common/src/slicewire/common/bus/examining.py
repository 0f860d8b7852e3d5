"""Look at a bus that may be ill: is it there, does it let us in, what are its streams and who answers on it.

A part of the door. Unlike `connected` it makes nothing, mends nothing and waits for nothing for long: every
question has its own short time, and what was not answered is said in words.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any

import msgspec

from slicewire.common.bus.client import QuickClient
from slicewire.common.bus.complaints import Complaints
from slicewire.common.bus.connection import CONNECTING_FAILED, LOST, NatsLink, servers
from slicewire.common.bus.envelope import as_shown
from slicewire.common.bus.identity import Access
from slicewire.common.bus.link import ApiFault, Message
from slicewire.common.bus.port import BusUnavailable, NotAllowed
from slicewire.common.messages import HISTORY_STREAM, STATE_STREAM
from slicewire.common.model import wire

_ANSWER_SECONDS = 2.0
_SILENCE_SECONDS = 0.4
"""After the last service that says its name."""
_MOST_SERVICES = 20_000
_STREAM_NOT_FOUND = 10059
_CALLS = {
    "the room on its disks": ".api.info",
    "consumers": ".consumer.list.",
    "how many allocators there are": "$srv.ping",
}
"""What a call lets us see; as the client keeps those that were refused."""


class Server(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    version: tuple[int, ...]
    encrypts: bool
    user: str = ""
    """Empty where the server does not ask who we are, or does not say."""
    round_trip_seconds: float = 0.0
    ahead_seconds: float | None = None
    """Its clock minus ours; None where it did not say the time."""


class Consumer(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    durable: bool
    pending: int
    """Facts it has not been sent yet."""
    unacknowledged: int


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    settings: dict[str, Any]
    messages: int
    bytes: int
    first: int
    last: int
    away: tuple[str, ...] = ()
    """Servers that should have a copy and are not there, or are behind."""
    behind: int = 0
    """Facts of its source that it has not taken in yet."""
    consumers: tuple[Consumer, ...] = ()


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """One instance that answers questions: `allocator`, `node-prep`, as NATS' micro services say it."""

    name: str
    version: str


class Storage(msgspec.Struct, frozen=True):
    """What the account may keep on disk; -1 is no limit."""

    used: int
    limit: int


class Unanswered(msgspec.Struct, frozen=True):
    """Why there is no word of it."""

    reason: str
    is_missing: bool = False
    """There is no such thing, rather than no answer."""


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    url: str
    server: Server | Unanswered
    storage: Storage | Unanswered = Unanswered("not asked")
    streams: dict[str, Stream | Unanswered] = msgspec.field(default_factory=dict)
    services: tuple[Service, ...] = ()
    unseen: tuple[str, ...] = ()
    """What our credentials do not let us see."""


async def examine(
    url: str, credentials: str = "", authority: str = "", patience_seconds: float = 3.0
) -> Examined:
    """Raises `BadSettings` for files that cannot be used."""
    access = Access(credentials, authority)
    complaints = Complaints(access, as_shown(url))
    try:
        async with _visiting(url, access, complaints, patience_seconds) as client:
            return await _asked(client, as_shown(url))
    except BusUnavailable as error:
        return Examined(url=as_shown(url), server=Unanswered(str(error)))


@asynccontextmanager
async def _visiting(
    url: str, access: Access, complaints: Complaints, patience_seconds: float
) -> AsyncIterator[QuickClient]:
    client = QuickClient()
    client.access = access
    options: dict[str, Any] = {
        "servers": servers(url),
        "name": "slicewire-doctor",
        "error_cb": complaints.heard,
    }
    try:
        try:
            async with asyncio.timeout(patience_seconds):
                await client.connect(**options, **access.options())
        except CONNECTING_FAILED as error:
            raise BusUnavailable(complaints.in_words()) from error
        await client.expect_answers()
        yield client
    finally:
        if not client.is_connected:  # closing would drain to a server that is away, and raise
            client._pending, client._pending_data_size = [], 0  # noqa: SLF001
        with suppress(*LOST):
            await client.close()


async def _asked(client: QuickClient, url: str) -> Examined:
    link = NatsLink(client)
    server, storage, services, state, history = await asyncio.gather(
        _server(client),
        _storage(link),
        _services(client, link),
        _stream(link, STATE_STREAM),
        _stream(link, HISTORY_STREAM),
    )
    streams = {STATE_STREAM: state, HISTORY_STREAM: history}
    unseen = tuple(what for what, call in _CALLS.items() if any(call in one for one in client.refused))
    return Examined(
        url=url, server=server, storage=storage, streams=streams, services=services, unseen=unseen
    )


async def _server(client: QuickClient) -> Server:
    version = client.connected_server_version
    said, began, ended = await _user(client)
    told, user = said.get("server", {}).get("time", ""), said.get("data", {}).get("user", "")
    return Server(
        name=str(client._server_info.get("server_name", "")),  # noqa: SLF001
        version=(version.major, version.minor, version.patch),
        encrypts=bool(client._server_info.get("tls_required")),  # noqa: SLF001
        user=user,
        round_trip_seconds=ended - began,
        ahead_seconds=_seconds(told) - (began + ended) / 2 if told else None,
    )


async def _user(client: QuickClient) -> tuple[dict[str, Any], float, float]:
    began = time.time()
    try:
        reply = await client.asked("$SYS.REQ.USER.INFO", b"", seconds=_ANSWER_SECONDS)
        return wire.decode(reply.data, dict[str, Any]), began, time.time()
    except (*LOST, wire.Malformed):
        return {}, began, began


def _seconds(told: str) -> float:
    """RFC 3339 with nanoseconds, of which Python reads six digits."""
    whole, _, rest = told.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{(rest + '000000')[:6]}+00:00").timestamp()


async def _call(link: NatsLink, call: str) -> dict[str, Any] | Unanswered:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await link.api(call, {})
    except ApiFault as fault:
        return Unanswered(str(fault), is_missing=fault.code == _STREAM_NOT_FOUND)
    except NotAllowed:
        return Unanswered("these credentials may not ask it: not allowed by the server")
    except (TimeoutError, BusUnavailable):
        return Unanswered("JetStream did not answer: it is off, has no leader, or we are not allowed to ask")


async def _storage(link: NatsLink) -> Storage | Unanswered:
    said = await _call(link, "INFO")
    if isinstance(said, Unanswered):
        return said
    return Storage(said.get("storage", 0), said.get("limits", {}).get("max_storage", -1))


async def _stream(link: NatsLink, name: str) -> Stream | Unanswered:
    said = await _call(link, f"STREAM.INFO.{name}")
    if isinstance(said, Unanswered):
        return said
    state, replicas = said["state"], (said.get("cluster") or {}).get("replicas") or ()
    return Stream(
        name=name,
        settings=said["config"],
        messages=state["messages"],
        bytes=state["bytes"],
        first=state["first_seq"],
        last=state["last_seq"],
        away=tuple(one["name"] for one in replicas if one.get("offline") or not one.get("current")),
        behind=sum(source.get("lag", 0) for source in said.get("sources") or ()),
        consumers=await _consumers(link, name),
    )


async def _consumers(link: NatsLink, name: str) -> tuple[Consumer, ...]:
    said = await _call(link, f"CONSUMER.LIST.{name}")
    if isinstance(said, Unanswered):  # not everybody may ask
        return ()
    return tuple(
        Consumer(
            name=one["name"],
            durable=bool(one["config"].get("durable_name")),
            pending=one.get("num_pending", 0),
            unacknowledged=one.get("num_ack_pending", 0),
        )
        for one in said.get("consumers") or ()
    )


async def _services(client: QuickClient, link: NatsLink) -> tuple[Service, ...]:
    """Everybody who says a name until nobody has for a while."""
    found: list[Service] = []
    async with link.listen() as (inbox_subject, inbox):
        await client.publish("$SRV.PING", b"", reply=inbox_subject)
        with suppress(TimeoutError):
            async with asyncio.timeout(_ANSWER_SECONDS):
                while len(found) < _MOST_SERVICES:
                    async with asyncio.timeout(_SILENCE_SECONDS):
                        said = await inbox.get()
                    if isinstance(said, Message) and (one := _service(said)) is not None:
                        found.append(one)
    return tuple(sorted(found, key=lambda one: one.name))


def _service(said: Message) -> Service | None:
    try:
        told = wire.decode(said.data, dict[str, Any])
    except wire.Malformed:
        return None
    name = str(told.get("name", ""))
    if not name.startswith("slicewire-"):
        return None
    return Service(name=name.removeprefix("slicewire-"), version=str(told.get("version", "")))
