"""What all commands share: their options, how files are read, and how a command that fails ends."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Coroutine
from contextlib import AbstractContextManager, closing
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from slicewire.client import console, documents, refusals, tables
from slicewire.client.library import SaidNo
from slicewire.common import telemetry
from slicewire.common.bus.port import BusTooOld, BusUnavailable
from slicewire.common.messages import BadKey, Moment
from slicewire.common.settings import BadSettings, CommonSettings, from_environ

_TRACING = ("SLICEWIRE_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT", "SLICEWIRE_TRACE_SAMPLE")


class Output(StrEnum):
    TABLE = "table"
    JSON = "json"


Url = Annotated[
    str,
    typer.Option(
        "--nats-url",
        help="The bus. Default: SLICEWIRE_NATS_URL, else that of a running `slicewire up`.",
        show_default=False,
    ),
]
As = Annotated[
    Output | None,
    typer.Option(
        "-o", "--output", help="Default: a table on a terminal, JSON on a pipe.", show_default=False
    ),
]
File = Annotated[
    Path | None,
    typer.Option("-f", "--filename", help="Kubernetes YAML; - reads standard input.", show_default=False),
]
At = Annotated[
    int | None,
    typer.Option(
        "--at",
        min=1,
        metavar="N",
        help="As it was right after event N; `slicewire events` numbers them.",
        show_default=False,
    ),
]


def read(filename: Path) -> documents.Documents:
    source = "standard input" if str(filename) == "-" else str(filename)
    try:
        text = sys.stdin.read() if str(filename) == "-" else filename.read_text(encoding="utf-8")
        return documents.read(text, source)
    except UnicodeDecodeError as error:
        stop(f"{source} is not text in UTF-8: {error}", 2)
    except (OSError, documents.BadDocument) as error:
        stop(str(error), 2)


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a command; what went wrong is one line and the next step, not a traceback."""
    with refusals.said_aloud() as said:
        _run(work, said)


def _run(work: Coroutine[Any, Any, None], said: refusals.Said) -> None:
    try:
        with closing(work), _exporting():
            asyncio.run(work)
    except (SaidNo, BusTooOld, BadKey, BadSettings, documents.BadDocument) as error:
        stop(str(error), 1)
    except BusUnavailable as error:
        if said.has_said(error):
            raise typer.Exit(1) from None
        stop(f"{error}\nStart one with `slicewire up`, or name one with --nats-url.", 1)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except BrokenPipeError:
        sys.stderr.close()


def _exporting() -> AbstractContextManager[None]:
    """A command's own spans go where those of the parts go, when it is told where that is."""
    given = {name: os.environ[name] for name in _TRACING if name in os.environ}
    try:
        settings = from_environ(CommonSettings, "CLIENT", given)
    except BadSettings as error:
        stop(str(error), 2)
    return telemetry.exporting("client", settings.node_name, settings.otlp_endpoint, settings.trace_sample)


def stop(reason: str, status: int) -> NoReturn:
    console.complain(reason)
    raise typer.Exit(status)


def say_when(moment: Moment | None) -> None:
    """On standard error, so that what was asked for can be read by a program."""
    if moment is not None:
        console.complain(tables.moment(moment))
