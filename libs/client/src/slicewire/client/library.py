"""For programs: ask Slicewire, and listen to it.

async with slicewire.client.connect() as client:
    answer = await client.allocate(claim)
    async for pool in client.inventory(): ...
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from slicewire.client import silence
from slicewire.client.documents import with_uid
from slicewire.client.listening import Gone, listen
from slicewire.common import telemetry
from slicewire.common.bus.nats import connected
from slicewire.common.bus.port import Bus, CaughtUp, Declined, Heard, Past, Write
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
    TAINT_RULES,
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
    TaintRuleObserved,
    WhatIfReply,
    WhatIfRequest,
)
from slicewire.common.model import (
    ClaimName,
    ClaimUID,
    DeviceClass,
    DeviceTaintRule,
    Namespace,
    NodeName,
    ObjectMeta,
    ResourceClaim,
)

F = TypeVar("F", bound=Fact)
DEFAULT_URL = "nats://127.0.0.1:4222"
_QUESTION_SECONDS = 30.0
"""Questions about a whole fleet take longer than claims."""
_PAST_SECONDS = 120.0
"""A fleet's past must be read first."""
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
    """What a user of Slicewire may ask. Every method raises `SaidNo` and `BusUnavailable`.

    `at` is an event of the history (as `slicewire events` numbers them): what was so right after it.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = self.bus = bus

    async def allocate(self, *claims: ResourceClaim) -> tuple[ClaimAnswered, ...]:
        """All or none, on one node. A claim that waits is answered with its refusal, and keeps waiting.

        Asked again with the same names, the answers are the same.
        """
        with telemetry.span("claim", claims=[claim.label for claim in claims]) as span:
            named = [await self._under_known_uid(claim) for claim in claims]
            span.tell(claim_uid=",".join(claim.uid for claim in named))
            reply = await self._bus.ask(ALLOCATE, AllocateRequest(claims=tuple(named)))
            return _said(reply).answers

    async def _under_known_uid(self, claim: ResourceClaim, at: int | None = None) -> ResourceClaim:
        if claim.metadata.uid:
            return claim
        question = ExplainRequest(claim=ref(claim.label), at=at)
        known = await self._bus.ask(EXPLAIN, question, timeout_seconds=_patience(at))
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

    async def explain(self, claim: ClaimRef | ResourceClaim, *, at: int | None = None) -> ExplainReply:
        """Why a known claim waits, or what a claim would get. Nothing is kept."""
        if isinstance(claim, ClaimRef):
            request = ExplainRequest(claim=claim, at=at)
        else:
            request = ExplainRequest(document=await self._under_known_uid(claim, at), at=at)
        return _said(await self._bus.ask(EXPLAIN, request, timeout_seconds=_patience(at)))

    async def what_if(
        self, *claims: ResourceClaim, releasing: Sequence[ClaimRef] = (), at: int | None = None
    ) -> WhatIfReply:
        """Would these claims fit together on one node, after those others were released?"""
        request = WhatIfRequest(claims=claims, releasing=tuple(releasing), at=at)
        return _said(await self._bus.ask(WHATIF, request, timeout_seconds=_patience(at)))

    async def capacity(
        self, device_class: str = "", node: str = "", *, at: int | None = None
    ) -> CapacityReply:
        """How many devices are free and placeable, by class, profile and node."""
        request = CapacityRequest(device_class=device_class, node=NodeName(node), at=at)
        return _said(await self._bus.ask(CAPACITY, request, timeout_seconds=_patience(at)))

    async def define(self, device_class: DeviceClass) -> None:
        """Make a DeviceClass known, where there is no Kubernetes to have it from."""
        await self._bus.tell(CLASSES, ClassObserved(device_class=device_class))

    async def taint(self, rule: DeviceTaintRule) -> None:
        """Keep new claims off the devices that the rule picks, as a DeviceTaintRule of Kubernetes would."""
        bare = DeviceTaintRule(metadata=ObjectMeta(name=rule.metadata.name), spec=rule.spec)
        await self._taint(bare.metadata.name, TaintRuleObserved(rule=bare))

    async def untaint(self, name: str) -> None:
        """Take back what `taint` told under this name."""
        await self._taint(name, None)

    async def _taint(self, name: str, fact: TaintRuleObserved | None) -> None:
        known = {told.rule.metadata.name: told for told in latest(await self.now(TAINT_RULES), TAINT_RULES)}
        if name not in known and fact is None:
            raise SaidNo(Declined(404, f"there is no taint rule {name}"))
        if name in known and known[name].rule.metadata.creation_timestamp:
            raise SaidNo(Declined(409, f"taint rule {name} belongs to Kubernetes: change it there"))
        await self._bus.commit([Write(TAINT_RULES, (name,), fact)])

    def inventory(
        self, *, at: int | None = None
    ) -> AsyncIterator[PoolObserved | Gone[PoolObserved] | CaughtUp]:
        """The devices of every node, now and as they change; see `listening`. With `at` as they were, and
        the end after `CaughtUp`; needs no allocator."""
        return listen(self._bus, INVENTORY) if at is None else self._inventory_as_of(at)

    async def _inventory_as_of(self, event: int) -> AsyncIterator[PoolObserved | CaughtUp]:
        past = await self.as_of(event, INVENTORY)
        for pool in latest(past.facts, INVENTORY):
            yield pool
        yield CaughtUp(event)

    async def silent(self, pools: Iterable[PoolObserved]) -> frozenset[silence.Place]:
        """Node and driver of those whose agent does not answer. It is asked now; nothing is kept of it.
        Raises `NotAllowed` with credentials that may not ask."""
        return await silence.silent(self._bus, pools)

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

    async def as_of(self, event: int | None, *channels: Channel[Any]) -> Past:
        """The fact of every key as it was right after an event of the history; None is the last one."""
        return _said(await self._bus.as_of(event, *channels))

    async def events(
        self, *channels: Channel[Any], new: bool = False
    ) -> AsyncIterator[Heard[Any] | CaughtUp]:
        """As `facts`, each with its number in the history (`event`; 0 for one that has left it already).

        Read from the history, where each is a moment later. With `new` only what is told from now on.
        """
        past = await self.as_of(None, *(() if new else channels))
        for known in past.facts:
            yield known
        yield CaughtUp(past.moment.event)
        async for heard in self._bus.replay(past.moment.event, *channels):
            if not isinstance(heard, CaughtUp):
                yield heard

    async def history(self, *channels: Channel[Any]) -> tuple[Heard[Any], ...]:
        """Every fact of these keys that the history still has, oldest first; a key that ended has None."""
        found = []
        async for heard in self._bus.replay(0, *channels):
            if isinstance(heard, CaughtUp):
                break
            found.append(heard)
        return tuple(found)

    async def now(self, *channels: Channel[Any]) -> tuple[Heard[Any], ...]:
        """The latest fact of every key, as of now; keys with nothing under them are left out."""
        found = []
        async for heard in self._bus.follow(*channels):
            if isinstance(heard, CaughtUp):
                break
            if heard.fact is not None:
                found.append(heard)
        return tuple(found)


def _patience(at: int | None) -> float:
    return _QUESTION_SECONDS if at is None else _PAST_SECONDS


A = TypeVar("A")


def _said(reply: A | Declined) -> A:
    if isinstance(reply, Declined):
        raise SaidNo(reply)
    return reply


@asynccontextmanager
async def connect(
    url: str = "", *, credentials: str = "", authority: str = "", patience_seconds: float = 3.0
) -> AsyncIterator[Client]:
    """Without them, `SLICEWIRE_NATS_CREDENTIALS` and `SLICEWIRE_NATS_CA` name the files. Raises
    `BusUnavailable` when no server answers in time, `BadSettings` for files that cannot be used."""
    async with connected(
        url or default_url(),
        name="client",
        credentials=credentials or os.environ.get("SLICEWIRE_NATS_CREDENTIALS", ""),
        authority=authority or os.environ.get("SLICEWIRE_NATS_CA", ""),
        patience_seconds=patience_seconds,
    ) as bus:
        yield Client(bus)


def latest(heard: Sequence[Heard[Any]], channel: Channel[F]) -> tuple[F, ...]:
    """The facts of one channel among what was heard."""
    return tuple(item.fact for item in heard if item.channel.kind == channel.kind and item.fact is not None)
