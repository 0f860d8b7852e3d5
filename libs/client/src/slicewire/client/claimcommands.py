"""`slicewire claim`, `claims` and `release`: have devices, see who has them, give them back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slicewire.client import console, documents, library, tables
from slicewire.client.command import As, Url, read, run
from slicewire.client.library import Client, SaidNo
from slicewire.common import telemetry
from slicewire.common.messages import (
    ANSWERS,
    CLAIMS,
    LEDGERS,
    PREPARED,
    ClaimAnswered,
    ClaimPrepared,
)
from slicewire.common.model import ClaimUID


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
    run(_claim(read(filename), nats_url, prepare, output or ""))


async def _claim(given: documents.Documents, url: str, prepare: bool, output: str) -> None:
    rules = tuple(f"DeviceTaintRule/{rule.metadata.name}" for rule in given.taint_rules)
    for name in (*given.set_aside, *rules):
        console.complain(f"{name} says nothing about claims and is set aside")
    groups = documents.groups(given)
    async with library.connect(url) as client:
        for device_class in given.classes:
            await client.define(device_class)
            console.complain(f"class {device_class.metadata.name} is known")
        with telemetry.span("slicewire claim"):
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
    if console.is_json(output):
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


def claims(nats_url: Url = "", output: As = None) -> None:
    """Every claim, what it holds, or why it waits."""
    run(_claims(nats_url, output or ""))


async def _claims(url: str, output: str) -> None:
    async with library.connect(url) as client:
        heard = await client.now(CLAIMS, ANSWERS, LEDGERS, PREPARED)
    console.rows(tables.claim_rows(heard), output, "There are no claims. Make one: slicewire claim -f FILE")


def release(
    name: Annotated[str, typer.Argument(help="NAME or NAMESPACE/NAME of the claim.")], nats_url: Url = ""
) -> None:
    """Give back what a claim holds, and forget the claim."""
    run(_release(name, nats_url))


async def _release(name: str, url: str) -> None:
    async with library.connect(url) as client:
        await client.release(library.ref(name))
    console.say(f"{library.ref(name).label} is released")
