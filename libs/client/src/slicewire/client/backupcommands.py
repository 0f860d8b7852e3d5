"""`slicewire backup` and `slicewire restore`: the state in a file, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slicewire.client import backup as file
from slicewire.client import console, library
from slicewire.client.command import Url, run, say_when, stop

Path_ = Annotated[Path, typer.Argument(metavar="FILE", help="One fact a line, as JSON.", show_default=False)]


def backup(path: Path_, url: Url = "") -> None:
    """Write the whole state to a file: every fact that holds now."""
    run(_backup(path, url))


async def _backup(path: Path, url: str) -> None:
    try:
        async with library.connect(url) as client:
            past = await file.taken(client.bus)
        head = file.save(past.facts, path)
    except file.BadBackup as error:
        stop(str(error), 1)
    if past.moment.gaps:
        say_when(past.moment)
    console.complain(f"{path}: {head.facts} facts, the last one with sequence {head.sequence}")


def restore(path: Path_, url: Url = "") -> None:
    """Write back what is missing in the state, into a stream that was made anew.

    Stop the allocators first. What was told since stays as it is; where something else was decided since,
    nothing is written. Killed, it can be run again.
    """
    run(_restore(path, url))


async def _restore(path: Path, url: str) -> None:
    try:
        writes = file.load(path)
        async with library.connect(url) as client:
            done = await file.restore(client.bus, writes)
    except file.BadBackup as error:
        stop(str(error), 1)
    console.complain(f"{done.written} facts written, {done.left} were there already")
