"""`slicewire explain`, `whatif` and `capacity`: questions that change nothing, about now or then."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from slicewire.client import console, documents, library, tables
from slicewire.client.command import As, At, File, Url, read, run, say_when, stop
from slicewire.common.messages import ClaimAnswered, ExplainReply

_HELD = {True: "holds", False: "held"}
"""Is it about now?"""
_GOT = {True: "would get", False: "would have got"}


def explain(
    name: Annotated[
        str, typer.Argument(help="NAME or NAMESPACE/NAME of a known claim.", show_default=False)
    ] = "",
    filename: File = None,
    nats_url: Url = "",
    at: At = None,
    output: As = None,
) -> None:
    """Why a claim waits, or what the claims of a file would get. Nothing is changed."""
    if bool(name) == bool(filename):
        stop("give the name of a claim, or -f FILE", 2)
    asked: list[Any] = [library.ref(name)]
    if filename is not None:
        asked = list(documents.every_claim(read(filename)))
    run(_explain(asked, nats_url, at, output or ""))


async def _explain(asked: list[Any], url: str, at: int | None, output: str) -> None:
    async with library.connect(url) as client:
        for number, claim in enumerate(asked):
            reply = await client.explain(claim, at=at)
            if not number:
                say_when(reply.as_of)
            if console.is_json(output):
                console.json_line(reply)
            else:
                _say_why(reply)


def _say_why(reply: ExplainReply) -> None:
    answer = reply.answer
    if answer.refusal is None:
        console.say(_given(answer, _HELD[reply.as_of is None] if reply.held else _GOT[reply.as_of is None]))
        return
    console.say(f"{answer.claim.label}: {tables.explanation(answer.refusal)}")
    if reply.nearest:
        console.say(f"Nearest: {reply.nearest}")
    if not answer.refusal.fatal:
        console.say(tables.advice(reply))


def _given(answer: ClaimAnswered, verb: str) -> str:
    assert answer.allocation is not None
    devices = ", ".join(result.device for result in answer.allocation.devices.results)
    return f"{answer.claim.label} {verb} {devices or 'nothing'} on {answer.node}"


def whatif(
    filename: Annotated[
        Path, typer.Option("-f", "--filename", help="Kubernetes YAML; - reads standard input.")
    ],
    releasing: Annotated[
        list[str] | None,
        typer.Option(help="A claim that would be released first, [NAMESPACE/]NAME. May be repeated."),
    ] = None,
    nats_url: Url = "",
    at: At = None,
    output: As = None,
) -> None:
    """Would all claims of a file fit together on one node, and where? Nothing is changed."""
    claims = [documents.with_uid(claim) for claim in documents.every_claim(read(filename))]
    run(_whatif(claims, releasing or [], nats_url, at, output or ""))


async def _whatif(claims: list[Any], releasing: list[str], url: str, at: int | None, output: str) -> None:
    async with library.connect(url) as client:
        gone = [library.ref(name) for name in releasing]
        reply = await client.what_if(*claims, releasing=gone, at=at)
    say_when(reply.as_of)
    answers = reply.answers
    if console.is_json(output):
        console.json_line(answers)
    elif refusal := next((answer.refusal for answer in answers if answer.refusal), None):
        console.say(f"No: {tables.explanation(refusal)}")
    else:
        for answer in answers:
            console.say(_given(answer, _GOT[reply.as_of is None]))
    if any(answer.refusal for answer in answers):
        raise typer.Exit(1)


def capacity(
    device_class: Annotated[str, typer.Option("--class", help="Only this DeviceClass.")] = "",
    node: Annotated[str, typer.Option(help="Only this node.")] = "",
    nats_url: Url = "",
    at: At = None,
    output: As = None,
) -> None:
    """How many devices are free, and how many could be given one after another, by class and node."""
    run(_capacity(device_class, node, nats_url, at, output or ""))


async def _capacity(device_class: str, node: str, url: str, at: int | None, output: str) -> None:
    async with library.connect(url) as client:
        reply = await client.capacity(device_class, node, at=at)
    say_when(reply.as_of)
    if console.is_json(output):
        console.json_line(reply)
        return
    console.rows(reply.classes, output, "No node has told a device of a known class.")
