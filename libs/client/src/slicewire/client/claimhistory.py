"""What the history of the bus knows of one claim: when it was told, answered, entered, prepared.

Asks no service. What has left the history is not there, and nothing is made up for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from slicewire.client.library import Client
from slicewire.common.bus.port import Heard
from slicewire.common.messages import ANSWERS, CLAIMS, LEDGERS, PREPARED, LedgerEntry
from slicewire.common.model import ClaimUID, TraceParent


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to the claim."""

    event: int
    """Its number in the history; 0: it has left the history already."""
    time: str
    what: str
    by: str
    """Who told it: `allocator-1`."""


class ClaimHistory(msgspec.Struct, frozen=True, kw_only=True):
    claim: str
    uid: ClaimUID
    trace: TraceParent
    """Of the ledger, else of the answer, else of the claim; "" where nobody traced it."""
    happenings: tuple[Happening, ...]


async def of_claim(client: Client, label: str) -> ClaimHistory | None:
    """The claim `namespace/name`, the newest of that name; None where the bus knows none."""
    uid = await _uid(client, label)
    if uid is None:
        return None
    heard = await client.history(CLAIMS.under(uid), ANSWERS.under(uid))
    answers: list[Any] = [item.fact for item in heard if _is(item, ANSWERS)]
    nodes = sorted({answer.node for answer in answers if answer.node})
    channels = [channel for node in nodes for channel in (LEDGERS.under(node), PREPARED.under(node, uid))]
    later = await client.history(*channels) if channels else ()
    every = sorted((*heard, *later), key=lambda item: item.sequence)
    return ClaimHistory(claim=label, uid=uid, trace=_trace(every, uid), happenings=_happenings(every, uid))


async def _uid(client: Client, label: str) -> ClaimUID | None:
    """Of the claims there are; else of those there were."""
    for look in (client.now, client.history):
        found = [item for item in await look(CLAIMS) if item.fact and item.fact.claim.label == label]
        if found:
            return ClaimUID(found[-1].key[0])
    return None


def _is(item: Heard[Any], channel: Any) -> bool:
    return item.channel.kind == channel.kind and item.fact is not None


def _trace(heard: Sequence[Heard[Any]], uid: ClaimUID) -> TraceParent:
    entries = [entry for item in heard if _is(item, LEDGERS) for entry in _entries(item, uid)]
    told = [
        TraceParent(item.headers["traceparent"])
        for kind in (ANSWERS, CLAIMS)
        for item in heard
        if _is(item, kind) and item.headers.get("traceparent")
    ]
    return next((trace for trace in (*(entry.trace for entry in entries), *told) if trace), TraceParent(""))


def _entries(item: Heard[Any], uid: ClaimUID) -> tuple[LedgerEntry, ...]:
    """What the claim holds in a pool; nothing where nothing is told of the pool."""
    return tuple(entry for entry in item.fact.entries if entry.claim.uid == uid) if item.fact else ()


def _happenings(heard: Sequence[Heard[Any]], uid: ClaimUID) -> tuple[Happening, ...]:
    """What changed for this claim: a ledger is told again for every other claim of its pool."""
    found: list[Happening] = []
    before: dict[tuple[str, tuple[str, ...]], str] = {}
    for item in heard:
        place = (item.channel.kind, item.key)
        now = "; ".join(_IN_WORDS[item.channel.kind](item, uid))
        if now != before.get(place, ""):
            found.append(_happening(item, now or _OVER[item.channel.kind]))
        before[place] = now
    return tuple(found)


def _happening(item: Heard[Any], what: str) -> Happening:
    source = item.headers.get("ce-source", "").rpartition("/")[2]
    return Happening(event=item.event, time=item.headers.get("ce-time", ""), what=what, by=source)


def _claim(item: Heard[Any], _uid: ClaimUID) -> Iterator[str]:
    if item.fact is not None:
        written = ", its allocation is in Kubernetes" if item.fact.claim.status.allocation else ""
        yield f"claim told, decided by {item.fact.decided_by}{written}"


def _answer(item: Heard[Any], _uid: ClaimUID) -> Iterator[str]:
    if item.fact is None:
        return
    if item.fact.refusal is not None:
        yield f"waits: {item.fact.refusal.message}"
        return
    devices = ", ".join(result.device for result in item.fact.allocation.devices.results)
    yield f"given {devices or 'no devices'} on {item.fact.node or 'any node'}"


def _ledger(item: Heard[Any], uid: ClaimUID) -> Iterator[str]:
    for entry in _entries(item, uid):
        devices = ", ".join(result.device for result in entry.results)
        confirmed = ", confirmed by Kubernetes" if entry.confirmed else ""
        yield f"in the ledger of {'/'.join(item.key)}: {devices}{confirmed}"


def _prepared(item: Heard[Any], _uid: ClaimUID) -> Iterator[str]:
    if item.fact is not None:
        devices = ", ".join(device.device for device in item.fact.devices)
        yield (
            f"not prepared: {item.fact.error}"
            if item.fact.error
            else f"prepared on {item.fact.node}: {devices}"
        )


_IN_WORDS: Mapping[str, Callable[[Heard[Any], ClaimUID], Iterator[str]]] = {
    CLAIMS.kind: _claim,
    ANSWERS.kind: _answer,
    LEDGERS.kind: _ledger,
    PREPARED.kind: _prepared,
}
_OVER = {
    CLAIMS.kind: "claim gone",
    ANSWERS.kind: "answer taken back",
    LEDGERS.kind: "out of the ledger: given back",
    PREPARED.kind: "unprepared",
}
