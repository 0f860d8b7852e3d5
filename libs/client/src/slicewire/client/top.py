"""`slicewire top`: nodes, devices and claims as they are now, and as they change. Follows; never polls."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.live import Live

from slicewire.client import console, library
from slicewire.client.command import As, Url, run
from slicewire.client.toppicture import FOLLOWED, Choice, Frame, Only, Picture, Sort
from slicewire.client.topscreen import drawn, keys, rows_for
from slicewire.common.bus.port import CaughtUp, Heard

_HINT = "q ends"
_MOST_IN_JSON = 50
Show = Callable[[Frame], None]


def top(
    nats_url: Url = "",
    once: Annotated[bool, typer.Option("--once", help="Show it once, and end.")] = False,
    interval: Annotated[
        float, typer.Option(min=0.1, max=3600, help="Seconds between two pictures, if anything changed.")
    ] = 1.0,
    sort: Annotated[Sort, typer.Option(help="Which nodes come first.")] = Sort.WORST,
    only: Annotated[Only, typer.Option(help="Which nodes are shown; all are counted.")] = Only.ALL,
    node: Annotated[str, typer.Option(help="Nodes of such a name; * stands for anything.")] = "*",
    most: Annotated[int, typer.Option(min=0, max=100_000, help="Nodes at most; 0: as many as fit.")] = 0,
    output: As = None,
) -> None:
    """Nodes, devices, claims and lag, live: the worst nodes first. JSON lines on a pipe."""
    in_json = console.is_json(output or "")
    height = console.height()
    rows = most or (_MOST_IN_JSON if in_json else rows_for(height, most))
    choice = Choice(sort=sort, only=only, name=node, most=rows)
    if once:
        run(_once(nats_url, choice, console.json_line if in_json else lambda one: console.show(drawn(one))))
    elif in_json:
        run(_lines(nats_url, choice, interval))
    else:
        run(_live(nats_url, choice, interval))


async def _once(url: str, choice: Choice, show: Show) -> None:
    picture = Picture()
    async with library.connect(url) as client:
        for heard in await client.now(*FOLLOWED):
            picture.hear(heard)
    show(picture.frame(choice))


async def _lines(url: str, choice: Choice, interval: float) -> None:
    async with _frames(url, choice, interval, asyncio.Event()) as frames:
        async for frame in frames:
            console.json_line(frame)


async def _live(url: str, choice: Choice, interval: float) -> None:
    quit_now = asyncio.Event()
    for told in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(told, quit_now.set)
    async with _frames(url, choice, interval, quit_now) as frames:
        with keys(quit_now), Live(console=console.terminal(), screen=True, auto_refresh=False) as live:
            async for frame in frames:
                live.update(drawn(frame, hint=_HINT), refresh=True)


@asynccontextmanager
async def _frames(
    url: str, choice: Choice, interval: float, quit_now: asyncio.Event
) -> AsyncIterator[AsyncIterator[Frame]]:
    """A picture when everything was heard, then one whenever something was, at most one an interval."""
    picture, changed = Picture(), asyncio.Event()
    async with library.connect(url) as client:
        hearing = asyncio.ensure_future(_hear(client, picture, changed))
        quitting = asyncio.ensure_future(quit_now.wait())
        try:
            yield _pictures(picture, changed, choice, interval, (hearing, quitting))
        finally:
            hearing.cancel()
            quitting.cancel()
            await asyncio.gather(hearing, quitting, return_exceptions=True)


async def _hear(client: library.Client, picture: Picture, changed: asyncio.Event) -> None:
    caught_up = False
    async for heard in client.facts(*FOLLOWED):
        if isinstance(heard, CaughtUp):
            caught_up = True
        else:
            picture.hear(heard, _lag_ms(heard) if caught_up else 0)
        if caught_up:
            changed.set()


def _lag_ms(heard: Heard[Any]) -> int:
    """What it took to get here, as far as two clocks can tell."""
    try:
        told = datetime.fromisoformat(heard.headers.get("ce-time", ""))
        return max(0, int((datetime.now(UTC) - told).total_seconds() * 1000))
    except (ValueError, TypeError):
        return 0


async def _pictures(
    picture: Picture,
    changed: asyncio.Event,
    choice: Choice,
    interval: float,
    ends: tuple[asyncio.Future[Any], ...],
) -> AsyncIterator[Frame]:
    hearing = ends[0]
    while not any(end.done() for end in ends):
        something = asyncio.ensure_future(changed.wait())
        await asyncio.wait((something, *ends), return_when=asyncio.FIRST_COMPLETED)
        something.cancel()
        if changed.is_set():
            changed.clear()
            yield picture.frame(choice)
            await asyncio.wait(ends, timeout=interval, return_when=asyncio.FIRST_COMPLETED)
    if hearing.done():
        await hearing  # it never ends by itself: whatever ended it is said
