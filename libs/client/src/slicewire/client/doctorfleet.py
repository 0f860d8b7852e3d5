"""Is the fleet well? What is told about nodes and claims, as findings. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from slicewire.client.doctorfindings import Finding, ago, counted, error, fine, named, warn
from slicewire.client.library import latest
from slicewire.common.bus.port import Heard
from slicewire.common.messages import (
    ANSWERS,
    CLAIMS,
    CLASSES,
    INVENTORY,
    LEDGERS,
    PREPARED,
    SCHEMA_VERSION,
    LedgerWritten,
    PoolObserved,
)

_AHEAD_SECONDS = 5.0


class Told(msgspec.Struct, frozen=True):
    """Everything that is told, when it was looked at, and whose agents were asked in vain."""

    heard: Sequence[Heard[Any]]
    now: float
    """Seconds since 1970."""
    silent: Collection[str] = ()


def fleet_findings(told: Told) -> Iterator[Finding]:
    pools = latest(told.heard, INVENTORY)
    yield from _nodes(pools, told)
    yield from _agents(told)
    yield from _devices(pools)
    yield from _ledgers(latest(told.heard, LEDGERS), pools)
    yield from _claims(told)
    yield from _schemas(told)


def _nodes(pools: Sequence[PoolObserved], told: Told) -> Iterator[Finding]:
    if not pools:
        yield warn(
            "nodes",
            "none has told its devices",
            "There is nothing to give.",
            "Start slicewire-discovery on the nodes with GPUs; read its log, and run this with --node there.",
        )
        return
    ages = sorted(((told.now - when, heard.key[0]) for heard, when in _times(told, INVENTORY.kind)))
    devices = sum(len(pool.devices) for pool in pools)
    what = f"{counted(len({pool.node for pool in pools}), 'node')}, {counted(devices, 'device')}"
    if ages:  # a fact is told when something has changed: an old one is no bad sign by itself
        oldest, node = ages[-1]
        what += f"; last told between {ago(ages[0][0])} and {ago(oldest)} ago ({node})"
    yield fine("nodes", what)
    if not latest(told.heard, CLASSES):
        yield warn(
            "classes",
            "there is no DeviceClass",
            "Claims name one: none can be met.",
            "Where there is Kubernetes, apply deploy/k8s/base/deviceclasses.yaml; else `slicewire claim -f`"
            " with the class in the file.",
        )


def _agents(told: Told) -> Iterator[Finding]:
    if silent := sorted(told.silent):
        yield error(
            "agents",
            f"{counted(len(silent), 'node')} with an agent that does not answer: {named(silent)}",
            "What they told last may not be so any more; new claims may be given devices that are gone.",
            "Look at slicewire-discovery there, and at the node; run `slicewire doctor --node` on it.",
        )
    early = sorted({h.key[0] for h, when in _times(told, INVENTORY.kind) if when - told.now > _AHEAD_SECONDS})
    if early:
        yield warn(
            "clocks",
            f"{counted(len(early), 'node')} whose facts come from the future: {named(early)}",
            "The times in events and traces do not go together.",
            "Let those nodes keep time, or this machine.",
        )


def _times(told: Told, kind: str) -> Iterator[tuple[Heard[Any], float]]:
    """When each fact was told, by its author's clock; facts that do not say are left out."""
    for heard in told.heard:
        text = heard.headers.get("ce-time", "")
        if heard.channel.kind == kind and text:
            try:
                yield heard, datetime.fromisoformat(text).timestamp()
            except ValueError:
                continue


def _devices(pools: Sequence[PoolObserved]) -> Iterator[Finding]:
    gaps = [f"{pool.node}/{gap.what}: {gap.reason}" for pool in pools for gap in pool.unreadable]
    if gaps:
        yield warn(
            "devices",
            f"{counted(len(gaps), 'part')} of nodes cannot be read: {named(gaps)}",
            "What cannot be read is not given to claims.",
            "Look at the driver on those nodes (nvidia-smi, dmesg).",
        )
    tainted = Counter(
        taint.key
        for pool in pools
        for device in pool.devices
        for taint in device.taints
        if taint.effect != "None"
    )
    if tainted:
        said = named([f"{key} ({number:,})" for key, number in tainted.most_common()])
        yield warn(
            "devices",
            f"tainted: {said}",
            "New claims are kept off them.",
            "`slicewire inventory` shows which; docs/health.md says what each taint means.",
        )


def _ledgers(ledgers: Sequence[LedgerWritten], pools: Sequence[PoolObserved]) -> Iterator[Finding]:
    clashes = [f"{one.device.pool}/{one.device.device}" for ledger in ledgers for one in ledger.conflicts]
    if clashes:
        yield error(
            "conflicts",
            f"{counted(len(clashes), 'device')} allocated to several claims: {named(clashes)}",
            "Two allocators decide one pool. Only the first of the claims is prepared.",
            "See that one of them decides (node label slicewire.dev/allocation), and delete the other claim.",
        )
    known = {(pool.node, pool.driver) for pool in pools}
    lost = [
        f"{one.node}/{one.driver}" for one in ledgers if one.entries and (one.node, one.driver) not in known
    ]
    if lost:
        yield warn(
            "ledger",
            f"{counted(len(lost), 'pool')} with claims and without devices: {named(sorted(lost))}",
            "Their node tells nothing any more, and what the claims hold cannot be prepared or freed there.",
            "Bring the node back, or delete the claims.",
        )


def _claims(told: Told) -> Iterator[Finding]:
    answers = {fact.claim.uid: fact for fact in latest(told.heard, ANSWERS)}
    claims = latest(told.heard, CLAIMS)
    waiting = sorted(
        fact.claim.label
        for fact in claims
        if (one := answers.get(fact.claim.uid)) is not None and one.refusal
    )
    failed = [fact for fact in latest(told.heard, PREPARED) if fact.error]
    yield fine("claims", f"{counted(len(claims), 'claim')}, {len(waiting):,} of them waiting")
    if waiting:
        yield warn(
            "claims",
            f"waiting: {named(waiting)}",
            "There is nothing free that they fit.",
            f"`slicewire explain {waiting[0]}` says why, and what would help.",
        )
    if failed:
        said = named([f"{fact.claim.label} on {fact.node}: {fact.error}" for fact in failed])
        yield error(
            "claims",
            f"{counted(len(failed), 'claim')} could not be prepared: {said}",
            "Their pods do not start.",
            "What it says is to be done on the node; the kubelet asks again by itself.",
        )


def _schemas(told: Told) -> Iterator[Finding]:
    seen: Counter[str] = Counter()
    for heard in told.heard:
        _, _, rest = heard.headers.get("ce-dataschema", "").partition("urn:slicewire:schema:")
        seen[rest.partition(":")[0] or "none"] += 1
    others = {version: number for version, number in seen.items() if version != SCHEMA_VERSION}
    if others:
        said = named([f"{version} ({counted(number, 'fact')})" for version, number in sorted(others.items())])
        yield warn(
            "schema",
            f"facts of {said}, beside our {SCHEMA_VERSION}",
            "Older and newer parts are at work together: what a newer one adds, an older one does not see.",
            "Nothing during an upgrade; after it, `slicewire events` shows the source of each.",
        )
    elif seen:
        yield fine("schema", f"all facts are of {SCHEMA_VERSION}")
