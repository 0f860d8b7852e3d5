"""`slicewire doctor`: what is well, what is not, what that means, and what to do next. It changes nothing."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from slicewire.client import console, library
from slicewire.client.command import As, Url, stop
from slicewire.client.doctorbus import bus_findings, service_findings, unseen_findings
from slicewire.client.doctordriver import driver_findings
from slicewire.client.doctorfindings import Finding, Level, is_ill, warn
from slicewire.client.doctorfleet import Told, fleet_findings
from slicewire.client.doctorlease import lease_findings
from slicewire.client.doctornode import is_node, node_findings, own_name, places
from slicewire.common.bus.examining import Examined, Unanswered, examine
from slicewire.common.bus.port import BusTooOld, BusUnavailable, Heard, NotAllowed
from slicewire.common.messages import CATALOGUE, INVENTORY, LEDGERS, BadKey
from slicewire.common.model import NodeName
from slicewire.common.settings import BadSettings

_FACTS_SECONDS = 20.0
_UNHEARD = warn(
    "bus",
    "it could not be asked what claims hold here",
    "CDI files of claims that are over cannot be told from the others.",
    "`slicewire doctor --bus` says why.",
)
_COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.ERROR: "bold red"}


def doctor(
    nats_url: Url = "",
    node: Annotated[bool, typer.Option("--node", help="Only this machine, as a node.")] = False,
    bus: Annotated[bool, typer.Option("--bus", help="Only the bus and what is told on it.")] = False,
    kubeconfig: Annotated[
        Path | None,
        typer.Option(envvar="KUBECONFIG", help="Look at the publishers' lease too, with kubectl."),
    ] = None,
    output: As = None,
) -> None:
    """What is well, what is not, what it means and what to do. Changes nothing; ends with 1 for an error.

    Without --node and --bus: the bus, and this machine too where node-prep has been here.
    """
    logging.getLogger("slicewire").setLevel(logging.CRITICAL)  # what is wrong is in the findings
    both = node == bus
    where = places(os.environ)
    with_node = node or (both and is_node(where))
    asked = look(
        nats_url or library.default_url(), with_bus=both or bus, with_node=with_node, lease=kubeconfig
    )
    try:
        found = asyncio.run(asked)
    except BadSettings as fault:
        stop(str(fault), 2)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    _say(found, output or "")
    raise typer.Exit(1 if is_ill(found) else 0)


async def look(
    url: str,
    *,
    with_bus: bool,
    with_node: bool,
    lease: Path | None = None,
    patience_seconds: float = 3.0,
) -> tuple[Finding, ...]:
    """Everything that can be seen from here, in bounded time."""
    found: list[Finding] = []
    heard: tuple[Heard[Any], ...] | None = None
    credentials, authority = (os.environ.get(f"SLICEWIRE_NATS_{name}", "") for name in ("CREDENTIALS", "CA"))
    seen = await examine(url, credentials, authority, patience_seconds)
    if with_bus:
        found += bus_findings(seen)
    if _has_streams(seen):
        async for one in _of_the_fleet(url, seen, with_fleet=with_bus):
            if isinstance(one, Finding):
                found.append(one)
            else:
                heard = one
    if with_node and not with_bus and heard is None:
        found.append(_UNHEARD)
    if lease is not None and with_bus:
        found += await lease_findings(lease, time.time())
    if with_node:
        found += node_findings(places(os.environ), _held(heard))
        found += await driver_findings(os.environ)
    return tuple(found)


def _has_streams(seen: Examined) -> bool:
    """Connecting makes what is missing, and a doctor makes nothing."""
    return bool(seen.streams) and not any(isinstance(one, Unanswered) for one in seen.streams.values())


async def _of_the_fleet(
    url: str, seen: Examined, *, with_fleet: bool
) -> AsyncIterator[Finding | tuple[Heard[Any], ...]]:
    """What is told, and what it says of the fleet."""
    try:
        async with asyncio.timeout(_FACTS_SECONDS), library.connect(url) as client:
            # A node's own credentials let it hear of itself alone.
            here = (LEDGERS.under(own_name(os.environ)),)
            heard = await client.now(*(CATALOGUE if with_fleet else here))
            yield heard
            if with_fleet:
                async for finding in _of_those_who_answer(client, seen, heard):
                    yield finding
    except (BusUnavailable, BusTooOld, BadKey, TimeoutError) as fault:
        yield warn(
            "facts",
            str(fault) or f"they were not heard to the end within {_FACTS_SECONDS:g} s",
            "What is told could not be looked at.",
            "Mend what is said above, then ask again. A node's credentials let it hear of itself alone: take"
            " others.",
        )


async def _of_those_who_answer(
    client: library.Client, seen: Examined, heard: tuple[Heard[Any], ...]
) -> AsyncIterator[Finding]:
    """Allocators and agents, as far as we may ask them."""
    unseen, silent = list(seen.unseen), frozenset[Any]()
    try:
        answers = await _answers(client, seen)
    except NotAllowed:
        unseen.append("whether an allocator answers")
    else:
        for finding in service_findings(seen.services, allocator_answers=answers):
            yield finding
    try:
        silent = await client.silent(library.latest(heard, INVENTORY))
    except NotAllowed:
        unseen.append("whether agents answer")
    for finding in fleet_findings(Told(heard, time.time(), [place[0] for place in silent])):
        yield finding
    for finding in unseen_findings(unseen):
        yield finding


async def _answers(client: library.Client, seen: Examined) -> bool:
    """Whether some allocator does. Asking for names is not for everybody, a question is."""
    if any(one.name.startswith("allocator") for one in seen.services):
        return True
    try:
        await client.capacity(node=NodeName("-"))
    except library.SaidNo as no:
        return no.code != 503
    return True


def _held(heard: tuple[Heard[Any], ...] | None) -> Collection[str] | None:
    if heard is None:
        return None
    here = own_name(os.environ)
    ledgers = [ledger for ledger in library.latest(heard, LEDGERS) if ledger.node == here]
    return {entry.claim.uid for ledger in ledgers for entry in ledger.entries}


def _say(found: tuple[Finding, ...], output: str) -> None:
    if console.is_json(output):
        console.json_line(found)
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("", "ABOUT", "FOUND"):
        table.add_column(name, overflow="fold")
    for one in found:
        text = Text(console.printable(one.what))
        if one.meaning:
            text.append(f"\n{one.meaning}", style="dim")
        if one.do:
            text.append(f"\n→ {one.do}")
        table.add_row(Text(one.level, style=_COLOURS[one.level]), one.about, text)
    console.show(table)
    numbers = [f"{sum(one.level is level for one in found)} {level}" for level in Level]
    console.say(", ".join(numbers))
