"""`slicewire taint` and `untaint`: keep new claims off devices, where no Kubernetes tells the rules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slicewire.client import console, documents, library
from slicewire.client.command import Url, read, run, stop


def taint(
    filename: Annotated[
        Path, typer.Option("-f", "--filename", help="Kubernetes YAML; - reads standard input.")
    ],
    nats_url: Url = "",
) -> None:
    """Taint devices by the DeviceTaintRules of a file. Who holds one of them keeps it."""
    given = read(filename)
    if not given.taint_rules:
        stop(f"there is no DeviceTaintRule in {filename}", 2)
    run(_taint(given, nats_url))


async def _taint(given: documents.Documents, url: str) -> None:
    async with library.connect(url) as client:
        for rule in given.taint_rules:
            await client.taint(rule)
            console.say(f"taint rule {rule.metadata.name} is known")


def untaint(
    name: Annotated[str, typer.Argument(help="NAME of the DeviceTaintRule.")], nats_url: Url = ""
) -> None:
    """Take a taint rule back; claims that wait are looked at again."""
    run(_untaint(name, nats_url))


async def _untaint(name: str, url: str) -> None:
    async with library.connect(url) as client:
        await client.untaint(name)
    console.say(f"taint rule {name} is gone")
