"""For programs: ask Slicewire, and listen to it.

async with slicewire.client.connect() as client:
    answer = await client.allocate(claim)
    async for pool in client.inventory(): ...
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from slicewire.client.documents import with_uid
from slicewire.client.listening import Gone, listen
from slicewire.common import telemetry
from slicewire.common.bus.nats import connected
from slicewire.common.bus.port import Bus, CaughtUp, Declined, Heard
from slicewire.common.messages import (
    ALLOCATE,
    ANSWERS,
    CAPACITY,
    CLAIMS,
    CLASSES,
    EXPLAIN,
    INVENTORY,
    LEDGERS,
    PREPARE,
    PREPARED,
    RELEASE,
    WHATIF,
    AllocateRequest,
    CapacityReply,
    CapacityRequest,
    Channel,
    ClaimAnswered,
    ClaimObserved,
    ClaimPrepared,
    ClaimRef,
    ClassObserved,
    ExplainReply,
    ExplainRequest,
    Fact,
    LedgerWritten,
    PoolObserved,
    PrepareRequest,
    ReleaseRequest,
    WhatIfRequest,
)
from slicewire.common.model import ClaimName, ClaimUID, DeviceClass, Namespace, NodeName, ResourceClaim

F = TypeVar("F", bound=Fact)
DEFAULT_URL = "nats://127.0.0.1:4222"
_QUESTION_SECONDS = 30.0
"""Questions about a whole fleet take longer than claims."""
_PREPARE_SECONDS = 45.0
"""The kubelet gives a preparation as long."""


class SaidNo(Exception):
    """Slicewire declined; the message is its reason."""

    def __init__(self, declined: Declined) -> None:
        super().__init__(declined.reason)
        self.code = declined.code


def state_folder() -> Path:
    """Where `slicewire up` keeps what it runs on."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "slicewire"


def default_url() -> str:
    """`SLICEWIRE_NATS_URL`, else the bus of a running `slicewire up`, else NATS' own port."""
    if url := os.environ.get("SLICEWIRE_NATS_URL"):
        return url
    told = state_folder() / "up.json"
    try:
        return str(json.loads(told.read_text())["nats_url"])
    except (OSError, ValueError, KeyError):
        return DEFAULT_URL


def ref(name: str) -> ClaimRef:
    """`namespace/name`, or a name in the namespace `default`."""
    namespace, _, short = name.rpartition("/")
    return ClaimRef(uid=ClaimUID(""), namespace=Namespace(namespace or "default"), name=ClaimName(short))


class Client:
    """What a user of Slicewire may ask. Every method raises `SaidNo` and `BusUnavailable`."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def allocate(self, *claims: ResourceClaim) -> tuple[ClaimAnswered, ...]:
        """All or none, on one node. A claim that waits is answered with its refusal, and keeps waiting.

        Asked again with the same names, the answers are the same.
        """
        with telemetry.span("claim", claims=[claim.label for claim in claims]):
            named = [await self._under_known_uid(claim) for claim in claims]
            reply = await self._bus.ask(ALLOCATE, AllocateRequest(claims=tuple(named)))
            return _said(reply).answers

    async def _under_known_uid(self, claim: ResourceClaim) -> ResourceClaim:
        if claim.metadata.uid:
            return claim
        asked = ref(claim.label)
        known = await self._bus.ask(EXPLAIN, ExplainRequest(claim=asked))
        if isinstance(known, Declined) and known.code != 404:
            raise SaidNo(known)
        return with_uid(claim, "" if isinstance(known, Declined) else known.answer.claim.uid)

    async def prepare(self, answer: ClaimAnswered) -> ClaimPrepared:
        """Make the devices of an allocated claim usable on their node."""
        request = PrepareRequest(claim=answer.claim)
        reply = await self._bus.ask(PREPARE, request, answer.node, timeout_seconds=_PREPARE_SECONDS)
        return _said(reply).prepared

    async def release(self, claim: ClaimRef) -> None:
        _said(await self._bus.ask(RELEASE, ReleaseRequest(claim=claim)))

    async def explain(self, claim: ClaimRef | ResourceClaim) -> ExplainReply:
        """Why a known claim waits, or what a claim would get now. Nothing is kept."""
        if isinstance(claim, ClaimRef):
            return _said(await self._bus.ask(EXPLAIN, ExplainRequest(claim=claim)))
        document = await self._under_known_uid(claim)
        request = ExplainRequest(document=document)
        return _said(await self._bus.ask(EXPLAIN, request, timeout_seconds=_QUESTION_SECONDS))

    async def what_if(
        self, *claims: ResourceClaim, releasing: Sequence[ClaimRef] = ()
    ) -> tuple[ClaimAnswered, ...]:
        """Would these claims fit together on one node, after those others were released?"""
        request = WhatIfRequest(claims=claims, releasing=tuple(releasing))
        return _said(await self._bus.ask(WHATIF, request, timeout_seconds=_QUESTION_SECONDS)).answers

    async def capacity(self, device_class: str = "", node: str = "") -> CapacityReply:
        """How many devices are free and placeable, by class, profile and node."""
        request = CapacityRequest(device_class=device_class, node=NodeName(node))
        return _said(await self._bus.ask(CAPACITY, request, timeout_seconds=_QUESTION_SECONDS))

    async def define(self, device_class: DeviceClass) -> None:
        """Make a DeviceClass known, where there is no Kubernetes to have it from."""
        bare = msgspec.structs.replace(device_class)
        await self._bus.tell(CLASSES, ClassObserved(device_class=bare))

    def inventory(self) -> AsyncIterator[PoolObserved | Gone[PoolObserved] | CaughtUp]:
        """The devices of every node, now and as they change; see `listening`."""
        return listen(self._bus, INVENTORY)

    def claims(self) -> AsyncIterator[ClaimObserved | Gone[ClaimObserved] | CaughtUp]:
        """Every claim as it was asked, now and as they come and go."""
        return listen(self._bus, CLAIMS)

    def answers(self) -> AsyncIterator[ClaimAnswered | Gone[ClaimAnswered] | CaughtUp]:
        """What each claim was given, or why it waits, now and as it is decided."""
        return listen(self._bus, ANSWERS)

    def ledgers(self) -> AsyncIterator[LedgerWritten | Gone[LedgerWritten] | CaughtUp]:
        """Every allocation of each pool, now and as they change."""
        return listen(self._bus, LEDGERS)

    def preparations(self) -> AsyncIterator[ClaimPrepared | Gone[ClaimPrepared] | CaughtUp]:
        """What is usable on the nodes, or why not, now and as it changes."""
        return listen(self._bus, PREPARED)

    async def facts(self, *channels: Channel[Any]) -> AsyncIterator[Heard[Any] | CaughtUp]:
        """The latest fact of every key, `CaughtUp`, then every new one, for ever."""
        async for heard in self._bus.follow(*channels):
            yield heard

    async def now(self, *channels: Channel[Any]) -> tuple[Heard[Any], ...]:
        """The latest fact of every key, as of now; keys with nothing under them are left out."""
        found = []
        async for heard in self._bus.follow(*channels):
            if isinstance(heard, CaughtUp):
                break
            if heard.fact is not None:
                found.append(heard)
        return tuple(found)


A = TypeVar("A")


def _said(reply: A | Declined) -> A:
    if isinstance(reply, Declined):
        raise SaidNo(reply)
    return reply


@asynccontextmanager
async def connect(
    url: str = "", *, credentials: str = "", patience_seconds: float = 3.0
) -> AsyncIterator[Client]:
    """Raises `BusUnavailable` when no server answers in time."""
    async with connected(
        url or default_url(), name="client", credentials=credentials, patience_seconds=patience_seconds
    ) as bus:
        yield Client(bus)


def latest(heard: Sequence[Heard[Any]], channel: Channel[F]) -> tuple[F, ...]:
    """The facts of one channel among what was heard."""
    return tuple(item.fact for item in heard if item.channel.kind == channel.kind and item.fact is not None)
