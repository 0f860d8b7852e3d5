"""`slicewire trace`: what became of one claim, step by step, and how long each step took."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from slicewire.client import claimhistory, console, library, traces
from slicewire.client.claimhistory import ClaimHistory
from slicewire.client.command import As, Url, run, stop
from slicewire.client.traces import BackendAway, BadBackend, Branch, SeenSpan

JAEGER_URL = "SLICEWIRE_CLIENT_JAEGER_URL"
_SAMPLED = 1
"""The flag of a `traceparent` that says that its trace is kept."""
_SAID = ("node", "pool", "device", "devices", "step", "reason", "attempt")
"""Attributes that tell something that the tree does not."""


def trace(
    name: Annotated[str, typer.Argument(help="NAME or NAMESPACE/NAME of the claim.")],
    jaeger: Annotated[
        str,
        typer.Option(
            help="Jaeger's query API, such as http://127.0.0.1:16686. Without one: what the bus knows.",
            envvar=JAEGER_URL,
            show_default=False,
        ),
    ] = "",
    nats_url: Url = "",
    output: As = None,
) -> None:
    """What became of a claim, step by step: from Jaeger with durations, else as the bus remembers it."""
    run(_trace(name, jaeger, nats_url, output or ""))


async def _trace(name: str, jaeger: str, url: str, output: str) -> None:
    label = library.ref(name).label
    async with library.connect(url) as client:
        found = await claimhistory.of_claim(client, label)
    if found is None:
        stop(
            f"there is no claim {label}, and none in the history; `slicewire claims` lists those there are", 1
        )
    branches, reason = await _branches(found, jaeger)
    if console.is_json(output):
        console.json_line(_as_json(found, branches))
    elif branches:
        _draw(found, branches)
    else:
        console.say(f"{found.claim} ({found.uid}), as the bus remembers it:")
        console.rows(found.happenings, output, "Nothing of it is in the history any more.")
    if reason:
        stop(reason, 1)
    if not jaeger and found.trace:
        console.complain(_where_to_look(found))


async def _branches(found: ClaimHistory, jaeger: str) -> tuple[tuple[Branch, ...], str]:
    """The tree, or why there is none."""
    if not jaeger:
        return (), ""
    if not found.trace:
        return (), (
            f"{found.claim} was not traced: nobody had SLICEWIRE_OTLP_ENDPOINT when it was decided."
            "\nSet it for every part, and trace a new claim: docs/tracing.md"
        )
    try:
        spans = await traces.fetched(jaeger, _trace_id(found))
    except BadBackend as error:
        stop(str(error), 2)
    except BackendAway as error:
        return (), str(error)
    return traces.tree(spans, found.uid), "" if spans else _why_not_there(found, jaeger)


def _why_not_there(found: ClaimHistory, jaeger: str) -> str:
    if not int(found.trace.rpartition("-")[2], 16) & _SAMPLED:
        return (
            f"trace {_trace_id(found)} was not kept: SLICEWIRE_TRACE_SAMPLE keeps a part of all traces only"
        )
    return (
        f"Jaeger at {jaeger} has no trace {_trace_id(found)}: it has forgotten it, or is not where"
        " SLICEWIRE_OTLP_ENDPOINT of the parts leads to"
    )


def _trace_id(found: ClaimHistory) -> str:
    return found.trace.split("-")[1]


def _where_to_look(found: ClaimHistory) -> str:
    return f"Its trace is {_trace_id(found)}: give --jaeger URL (or {JAEGER_URL}) to see every step of it."


def _draw(found: ClaimHistory, branches: tuple[Branch, ...]) -> None:
    begun = min(branch.span.begun for branch in branches)
    console.say(f"{found.claim} ({found.uid}), trace {_trace_id(found)}:")
    console.branches(
        (branch.depth, branch.span.name, _columns(branch.span, begun), bool(branch.span.failure))
        for branch in branches
    )


def _columns(span: SeenSpan, begun: int) -> tuple[str, ...]:
    said = [
        f"{name}={span.attributes[key]}" for name in _SAID if (key := f"slicewire.{name}") in span.attributes
    ]
    linked = [f"with {len(span.links)} others"] if len(span.links) and span.name.startswith("commit") else []
    return (
        f"{(span.begun - begun) / 1e6:.1f}",
        f"{span.milliseconds:.1f}",
        span.service.removeprefix("slicewire-"),
        span.failure or " ".join((*said, *linked)),
    )


def _as_json(found: ClaimHistory, branches: tuple[Branch, ...]) -> dict[str, Any]:
    return {
        "claim": found.claim,
        "uid": found.uid,
        "traceparent": found.trace,
        "happenings": found.happenings,
        "spans": [branch.span for branch in branches],
    }
