"""Where commands speak: tables on a terminal, JSON on a pipe, complaints on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from slicewire.common.model import wire

_COLOURS = {"free": "green", "prepared": "green", "allocated": "cyan", "waiting": "yellow", "failed": "red"}
_out = Console(highlight=False)
_err = Console(stderr=True, highlight=False)


def on_a_terminal() -> bool:
    return sys.stdout.isatty()


def is_json(output: str) -> bool:
    """As asked for with --output, else what whoever reads it needs."""
    return output == "json" or (not output and not on_a_terminal())


def printable(text: str) -> str:
    """Names and reasons come from outside: what would move the cursor, or hide what is there, is spelt."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() or sign == "\n" else ascii(sign)[1:-1] for sign in text)


def say(text: str) -> None:
    _out.print(Text(printable(text)), soft_wrap=True)


def show(drawn: RenderableType) -> None:
    _out.print(drawn)


def terminal() -> Console:
    """For a command that draws on it for as long as it runs."""
    return _out


def height() -> int:
    return _out.height


def complain(text: str) -> None:
    _err.print(Text(printable(text)), soft_wrap=True)


def json_line(value: Any) -> None:
    sys.stdout.write(f"{wire.encode(value).decode()}\n")
    sys.stdout.flush()


def rows(found: Sequence[msgspec.Struct], output: str, nothing: str) -> None:
    """A table or a JSON list; `nothing` says what it means that there is none."""
    if is_json(output):
        json_line([msgspec.to_builtins(row) for row in found])
        return
    if not found:
        say(nothing)
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    names = [field.name for field in msgspec.structs.fields(type(found[0]))]
    for name in names:
        table.add_column(name.replace("_", " ").upper(), overflow="fold")
    for row in found:
        table.add_row(*(_cell(getattr(row, name)) for name in names))
    _out.print(table)


def branches(found: Iterable[tuple[int, str, Sequence[str], bool]]) -> None:
    """A tree with columns: depth and name, when it began and how long it took in ms, where, what was said,
    and whether it failed."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("STEP", no_wrap=True)
    for name, justify in (("AT MS", "right"), ("TOOK MS", "right"), ("PART", "left"), ("", "left")):
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for depth, name, columns, failed in found:
        style = _COLOURS["failed"] if failed else ""
        cells = (Text(printable(each), style=style) for each in columns)
        table.add_row(Text("  " * depth + printable(name), style=style), *cells)
    _out.print(table)


def _cell(value: object) -> Text:
    text = ", ".join(value) if isinstance(value, tuple) else str(value)
    return Text(printable(text), style=_COLOURS.get(text, ""))
