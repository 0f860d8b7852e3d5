"""`slicewire inventory` and `events`: what is told, as it is told, and whether its agents are still there."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any

import typer

from slicewire.client import console, library, tables
from slicewire.client.command import As, At, Url, run, say_when, stop
from slicewire.common.bus.port import CaughtUp, NotAllowed
from slicewire.common.messages import CATALOGUE, INVENTORY, LEDGERS


def inventory(
    nats_url: Url = "",
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Print again on every change.")] = False,
    at: At = None,
    output: As = None,
) -> None:
    """Every device there is, and who holds it; of an agent that does not answer, that it is silent."""
    if watch and at is not None:
        stop("give --watch or --at, not both: what was does not change", 2)
    if at is None:
        run(_inventory(nats_url, watch, output or ""))
    else:
        run(_inventory_at(nats_url, at, output or ""))


async def _inventory_at(url: str, at: int, output: str) -> None:
    async with library.connect(url) as client:
        past = await client.as_of(at, INVENTORY, LEDGERS)
    say_when(past.moment)
    console.rows(tables.device_rows(past.facts), output, "No node had told its devices then.")


async def _inventory(url: str, watch: bool, output: str) -> None:
    async with library.connect(url) as client:
        facts: dict[Any, Any] = {}
        silent: frozenset[Any] = frozenset()
        caught_up = False
        async for heard in client.facts(INVENTORY, LEDGERS):
            if isinstance(heard, CaughtUp):
                caught_up = True
                with suppress(NotAllowed):  # a reader may not ask: said already, and the table stays true
                    silent = await client.silent(library.latest(list(facts.values()), INVENTORY))
            else:
                facts[heard.channel.kind, heard.key] = heard
                silent -= {heard.key} if heard.channel.kind == INVENTORY.kind else set()
            if caught_up:
                rows = tables.device_rows(list(facts.values()), silent)
                console.rows(
                    rows, output, "No node has told its devices yet: is slicewire-discovery running?"
                )
                if not watch:
                    return


def events(
    nats_url: Url = "",
    new: Annotated[bool, typer.Option("--new", help="Only what is told from now on.")] = False,
    kind: Annotated[
        list[str] | None,
        typer.Option(help=f"Only these: {', '.join(c.kind for c in CATALOGUE)}. May be repeated."),
    ] = None,
) -> None:
    """Follow the facts as JSON lines: the latest of every key first, then each new one.

    "sequence" is what --at of other commands takes; 0: so old that it has left the history.
    """
    known = {channel.kind: channel for channel in CATALOGUE}
    for name in kind or ():
        if name not in known:
            stop(f"--kind {name!r} is not one of {', '.join(known)}", 2)
    chosen = [known[name] for name in kind] if kind else list(CATALOGUE)
    run(_events(nats_url, new, chosen))


async def _events(url: str, new: bool, channels: list[Any]) -> None:
    async with library.connect(url) as client:
        async for heard in client.events(*channels, new=new):
            if not isinstance(heard, CaughtUp):
                console.json_line(tables.event(heard, heard.channel.subject(*heard.key)))
