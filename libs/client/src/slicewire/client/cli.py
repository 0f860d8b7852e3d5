"""The `slicewire` command: what people type. Each command is a few lines around the library."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from slicewire.client import console, documents, library, tables, upcommand
from slicewire.client.library import Client, SaidNo
from slicewire.common.bus.port import BusTooOld, BusUnavailable, CaughtUp
from slicewire.common.messages import (
    ANSWERS,
    CATALOGUE,
    CLAIMS,
    INVENTORY,
    LEDGERS,
    PREPARED,
    BadKey,
    ClaimAnswered,
    ClaimPrepared,
)
from slicewire.common.model import ClaimUID

app = typer.Typer(
    help="GPU allocation as a live stream of facts.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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


@app.command()
def inventory(
    nats_url: Url = "",
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Print again on every change.")] = False,
    output: As = None,
) -> None:
    """Every device there is, and who holds it."""
    _run(_inventory(nats_url, watch, output or ""))


async def _inventory(url: str, watch: bool, output: str) -> None:
    async with library.connect(url) as client:
        facts: dict[Any, Any] = {}
        caught_up = False
        async for heard in client.facts(INVENTORY, LEDGERS):
            if isinstance(heard, CaughtUp):
                caught_up = True
            else:
                facts[heard.channel.kind, heard.key] = heard
            if caught_up:
                rows = tables.device_rows(list(facts.values()))
                console.rows(
                    rows, output, "No node has told its devices yet: is slicewire-discovery running?"
                )
                if not watch:
                    return


@app.command()
def claim(
    filename: Annotated[
        Path, typer.Option("-f", "--filename", help="Kubernetes YAML; - reads standard input.")
    ],
    nats_url: Url = "",
    prepare: Annotated[
        bool, typer.Option(help="Make the devices usable on their node, and print their CDI ids.")
    ] = True,
    output: As = None,
) -> None:
    """Allocate the claims of a file (ResourceClaims, templates, DeviceClasses, Pods, as written)."""
    _run(_claim(_read(filename), nats_url, prepare, output or ""))


async def _claim(given: documents.Documents, url: str, prepare: bool, output: str) -> None:
    for name in given.set_aside:
        console.complain(f"{name} says nothing about claims and is set aside")
    groups = documents.groups(given)
    async with library.connect(url) as client:
        for device_class in given.classes:
            await client.define(device_class)
            console.complain(f"class {device_class.metadata.name} is known")
        answers = await _answers(client, groups)
        prepared = await _prepare(client, answers) if prepare else []
        _show_answers(answers, prepared, output)
    if any(answer.refusal for answer in answers) or any(done.error for done in prepared):
        raise typer.Exit(1)


async def _answers(client: Client, groups: tuple[documents.Group, ...]) -> list[ClaimAnswered]:
    """One answer a claim, in the order of the file: a claim that two pods share is asked for with each."""
    answers: dict[ClaimUID, ClaimAnswered] = {}
    for group in groups:
        if group.claims:
            answers |= {answer.claim.uid: answer for answer in await client.allocate(*group.claims)}
    return list(answers.values())


async def _prepare(client: Client, answers: list[ClaimAnswered]) -> list[ClaimPrepared]:
    return [
        await _prepared(client, answer)
        for answer in answers
        if answer.allocation and answer.allocation.devices.results
    ]


async def _prepared(client: Client, answer: ClaimAnswered) -> ClaimPrepared:
    """A node that declines, or whose node-prep is away, must not hide what the claim was given."""
    try:
        return await client.prepare(answer)
    except SaidNo as no:
        return ClaimPrepared(node=answer.node, claim=answer.claim, error=str(no))


def _show_answers(answers: list[ClaimAnswered], prepared: list[ClaimPrepared], output: str) -> None:
    if output == "json" or (not output and not console.on_a_terminal()):
        console.json_line({"answers": answers, "prepared": prepared})
        return
    by_claim = {done.claim.uid: done for done in prepared}
    for answer in answers:
        if answer.refusal:
            console.say(f"{answer.claim.label} waits: {tables.explanation(answer.refusal)}")
            continue
        assert answer.allocation is not None
        devices = [result.device for result in answer.allocation.devices.results]
        console.say(
            f"{answer.claim.label}: {', '.join(devices) or 'no devices'} on {answer.node or 'any node'}"
        )
        done = by_claim.get(answer.claim.uid)
        if done is not None and done.error:
            console.say(f"  not prepared: {done.error}")
        for device in done.devices if done else ():
            for cdi in device.cdi_device_ids:
                console.say(f"  --device {cdi}")


@app.command()
def claims(nats_url: Url = "", output: As = None) -> None:
    """Every claim, what it holds, or why it waits."""
    _run(_claims(nats_url, output or ""))


async def _claims(url: str, output: str) -> None:
    async with library.connect(url) as client:
        heard = await client.now(CLAIMS, ANSWERS, LEDGERS, PREPARED)
    console.rows(tables.claim_rows(heard), output, "There are no claims. Make one: slicewire claim -f FILE")


@app.command()
def release(
    name: Annotated[str, typer.Argument(help="NAME or NAMESPACE/NAME of the claim.")], nats_url: Url = ""
) -> None:
    """Give back what a claim holds, and forget the claim."""
    _run(_release(name, nats_url))


async def _release(name: str, url: str) -> None:
    async with library.connect(url) as client:
        await client.release(library.ref(name))
    console.say(f"{library.ref(name).label} is released")


@app.command()
def explain(
    name: Annotated[
        str, typer.Argument(help="NAME or NAMESPACE/NAME of a known claim.", show_default=False)
    ] = "",
    filename: File = None,
    nats_url: Url = "",
    output: As = None,
) -> None:
    """Why a claim waits, or what the claims of a file would get. Nothing is changed."""
    if bool(name) == bool(filename):
        _stop("give the name of a claim, or -f FILE", 2)
    asked: list[Any] = [library.ref(name)]
    if filename is not None:
        asked = list(documents.every_claim(_read(filename)))
    _run(_explain(asked, nats_url, output or ""))


async def _explain(asked: list[Any], url: str, output: str) -> None:
    async with library.connect(url) as client:
        for claim in asked:
            reply = await client.explain(claim)
            answer = reply.answer
            if output == "json" or (not output and not console.on_a_terminal()):
                console.json_line(reply)
            elif answer.refusal is not None:
                console.say(f"{answer.claim.label}: {tables.explanation(answer.refusal)}")
                if reply.nearest:
                    console.say(f"Nearest: {reply.nearest}")
                if not answer.refusal.fatal:
                    console.say(tables.advice(reply))
            else:
                assert answer.allocation is not None
                devices = ", ".join(result.device for result in answer.allocation.devices.results)
                verb = "holds" if reply.held else "would get"
                console.say(f"{answer.claim.label} {verb} {devices or 'nothing'} on {answer.node}")


@app.command()
def whatif(
    filename: Annotated[
        Path, typer.Option("-f", "--filename", help="Kubernetes YAML; - reads standard input.")
    ],
    releasing: Annotated[
        list[str] | None,
        typer.Option(help="A claim that would be released first, [NAMESPACE/]NAME. May be repeated."),
    ] = None,
    nats_url: Url = "",
    output: As = None,
) -> None:
    """Would all claims of a file fit together on one node, and where? Nothing is changed."""
    claims = [documents.with_uid(claim) for claim in documents.every_claim(_read(filename))]
    _run(_whatif(claims, releasing or [], nats_url, output or ""))


async def _whatif(claims: list[Any], releasing: list[str], url: str, output: str) -> None:
    async with library.connect(url) as client:
        answers = await client.what_if(*claims, releasing=[library.ref(name) for name in releasing])
    if output == "json" or (not output and not console.on_a_terminal()):
        console.json_line(answers)
    elif refusal := next((answer.refusal for answer in answers if answer.refusal), None):
        console.say(f"No: {tables.explanation(refusal)}")
    else:
        for answer in answers:
            assert answer.allocation is not None
            devices = ", ".join(result.device for result in answer.allocation.devices.results)
            console.say(f"{answer.claim.label} would get {devices or 'nothing'} on {answer.node}")
    if any(answer.refusal for answer in answers):
        raise typer.Exit(1)


@app.command()
def capacity(
    device_class: Annotated[str, typer.Option("--class", help="Only this DeviceClass.")] = "",
    node: Annotated[str, typer.Option(help="Only this node.")] = "",
    nats_url: Url = "",
    output: As = None,
) -> None:
    """How many devices are free, and how many could be given one after another, by class and node."""
    _run(_capacity(device_class, node, nats_url, output or ""))


async def _capacity(device_class: str, node: str, url: str, output: str) -> None:
    async with library.connect(url) as client:
        reply = await client.capacity(device_class, node)
    if output == "json" or (not output and not console.on_a_terminal()):
        console.json_line(reply)
        return
    console.rows(reply.classes, output, "No node has told a device of a known class.")


@app.command()
def events(
    nats_url: Url = "",
    new: Annotated[bool, typer.Option("--new", help="Only what is told from now on.")] = False,
    kind: Annotated[
        list[str] | None,
        typer.Option(help=f"Only these: {', '.join(c.kind for c in CATALOGUE)}. May be repeated."),
    ] = None,
) -> None:
    """Follow the facts as JSON lines: the latest of every key first, then each new one."""
    known = {channel.kind: channel for channel in CATALOGUE}
    for name in kind or ():
        if name not in known:
            _stop(f"--kind {name!r} is not one of {', '.join(known)}", 2)
    chosen = [known[name] for name in kind] if kind else list(CATALOGUE)
    _run(_events(nats_url, new, chosen))


async def _events(url: str, new: bool, channels: list[Any]) -> None:
    async with library.connect(url) as client:
        silent = new
        async for heard in client.facts(*channels):
            if isinstance(heard, CaughtUp):
                silent = False
            elif not silent:
                console.json_line(tables.event(heard, heard.channel.subject(*heard.key)))


def _read(filename: Path) -> documents.Documents:
    source = "standard input" if str(filename) == "-" else str(filename)
    try:
        text = sys.stdin.read() if str(filename) == "-" else filename.read_text(encoding="utf-8")
        return documents.read(text, source)
    except UnicodeDecodeError as error:
        _stop(f"{source} is not text in UTF-8: {error}", 2)
    except (OSError, documents.BadDocument) as error:
        _stop(str(error), 2)


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Run a command; what went wrong is one line and the next step, not a traceback."""
    try:
        asyncio.run(work)
    except (SaidNo, BusTooOld, BadKey, documents.BadDocument) as error:
        _stop(str(error), 1)
    except BusUnavailable as error:
        _stop(f"{error}\nStart one with `slicewire up`, or name one with --nats-url.", 1)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except BrokenPipeError:
        sys.stderr.close()


def _stop(reason: str, status: int) -> NoReturn:
    console.complain(reason)
    raise typer.Exit(status)


def _hand_over(context: typer.Context) -> None:
    """Run a command that another distribution brings."""
    name = context.info_name or ""
    for point in metadata.entry_points(group="slicewire.commands", name=name):
        raise typer.Exit(point.load()(context.args))
    _stop(f"`slicewire {name}` comes with the allocator: pip install 'slicewire-allocator[offline]'", 1)


_HANDED_OVER = {
    "simulate": "Allocate offline: cases as JSON lines in, answers as JSON lines out.",
    "cel": "Check a CEL selector, and evaluate it for devices, offline.",
}


def main() -> None:
    app.command(name="up")(upcommand.up)
    for name, text in _HANDED_OVER.items():
        settings = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
        app.command(name=name, help=text, context_settings=settings)(_hand_over)
    app()


if __name__ == "__main__":
    main()
