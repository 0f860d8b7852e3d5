"""A frame of `slicewire top` on a terminal, and the keys that end it. Decides nothing."""

from __future__ import annotations

import asyncio
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from slicewire.client.console import printable
from slicewire.client.toppicture import Frame, NodeRow

_QUITS = frozenset("qQ\x03\x1b")
_BAR = 24
_AROUND = 8
"""Lines that are no rows."""


def rows_for(height: int, asked: int) -> int:
    """As many as fit, if nobody asked for a number."""
    return asked or max(3, height - _AROUND)


def drawn(frame: Frame, *, hint: str = "") -> RenderableType:
    return Group(*_summary(frame), Text(), _table(frame.rows), *_below(frame, hint))


def _summary(frame: Frame) -> Iterator[Text]:
    devices = Text.assemble(
        (f"{frame.nodes:,} nodes  {frame.devices:,} devices  ", "bold"),
        _bar(frame),
        f"  {frame.held:,} held, ",
        (f"{frame.free:,} free", "green"),
    )
    if frame.sick:
        devices.append(f", {frame.sick:,} sick", style="red")
    yield devices
    claims = Text(f"{frame.claims:,} claims  {frame.prepared:,} prepared")
    claims.append(f"  {frame.waiting:,} waiting", style="yellow" if frame.waiting else "")
    claims.append(f"  {frame.failed:,} failed", style="bold red" if frame.failed else "")
    claims.append(f"    {frame.facts:,} facts heard, the slowest {frame.lag_ms:,} ms old", style="dim")
    yield claims


def _bar(frame: Frame) -> Text:
    whole = max(1, frame.devices)
    held = min(_BAR, -(-frame.held * _BAR // whole))
    sick = min(_BAR - held, -(-frame.sick * _BAR // whole))
    bar = Text("▮" * held, style="cyan")
    bar.append("▮" * sick, style="red")
    return bar.append("▯" * (_BAR - held - sick), style="green")


def _table(rows: tuple[NodeRow, ...]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, expand=True)
    table.add_column("NODE", no_wrap=True)
    table.add_column("PRODUCT", no_wrap=True, max_width=24)
    for name in ("DEVICES", "HELD", "FREE", "SICK", "CLAIMS", "READY", "FAILED"):
        table.add_column(name, justify="right", no_wrap=True, min_width=len(name))
    table.add_column("", no_wrap=True, ratio=1)
    for row in rows:
        numbers = (row.devices, row.held, row.free, row.sick, row.claims, row.prepared, row.failed)
        style = "bold red" if row.failed else "red" if row.sick else ""
        table.add_row(*map(_cell, (row.node, row.product, *numbers, row.note)), style=style)
    return table


def _cell(value: object) -> Text:
    return Text(printable(str(value)).replace("\n", " "))


def _below(frame: Frame, hint: str) -> Iterator[Text]:
    if frame.matching > len(frame.rows):
        yield Text(f"… and {frame.matching - len(frame.rows):,} more nodes", style="dim")
    for wait in frame.waits[:3]:
        yield Text(f"waiting  {printable(wait)}", style="yellow", no_wrap=True, overflow="ellipsis")
    if hint:
        yield Text(hint, style="dim")


@contextmanager
def keys(quit_now: asyncio.Event) -> Iterator[None]:
    """`q` and Esc set it; the terminal is afterwards as it was before."""
    if not sys.stdin.isatty():
        yield
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)

    def pressed() -> None:
        if not (typed := sys.stdin.read(1)) or typed in _QUITS:
            quit_now.set()

    loop = asyncio.get_running_loop()
    tty.setcbreak(descriptor)
    loop.add_reader(descriptor, pressed)
    try:
        yield
    finally:
        loop.remove_reader(descriptor)
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
