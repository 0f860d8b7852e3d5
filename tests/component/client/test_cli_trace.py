"""`slicewire trace`: what became of a claim, from Jaeger and from the bus, and what is missing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from slicewire.client import documents, library
from slicewire.common import telemetry
from tests.component.allocator.world import World, until
from tests.component.client.command import ALLOCATE, Slicewire, yaml_claim

pytestmark = pytest.mark.slow
TRACE = "0af7651916cd43dd8448eb211c80319c"


@asynccontextmanager
async def jaeger(spans: list[dict[str, Any]], status: int = 200) -> AsyncIterator[str]:
    """What Jaeger's query API answers, for one trace."""

    async def answer(request: web.Request) -> web.Response:
        if request.match_info["trace"] != TRACE:
            return web.json_response({"error": {"httpCode": 404}}, status=404)
        about = {"attributes": [{"key": "service.name", "value": {"stringValue": "slicewire-allocator"}}]}
        found = [{"resource": about, "scopeSpans": [{"spans": spans}]}]
        return web.json_response({"result": {"resourceSpans": found}}, status=status)

    application = web.Application()
    application.router.add_get("/api/v3/traces/{trace}", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def told(name: str, id_: str, parent: str = "", milliseconds: int = 1, failure: str = "") -> dict[str, Any]:
    return {
        "name": name,
        "spanId": id_,
        "parentSpanId": parent,
        "startTimeUnixNano": "1000000",
        "endTimeUnixNano": str(1_000_000 * (1 + milliseconds)),
        "attributes": [
            {"key": "slicewire.node", "value": {"stringValue": "node-a"}},
            {"key": "slicewire.devices", "value": {"arrayValue": {"values": [{"stringValue": "gpu-0"}]}}},
        ],
        "status": {"code": 2, "message": failure} if failure else {},
    }


async def allocate(url: str, name: str, flags: str = "01") -> None:
    """As a program would that traces."""
    claim = documents.read(yaml_claim(name), "test").claims[0]
    with telemetry.carried({"traceparent": f"00-{TRACE}-b7ad6b7169203331-{flags}"}):
        async with library.connect(url) as client:
            await client.allocate(claim)


async def test_jaeger_s_spans_are_a_tree_with_durations(
    world: World, slicewire: Slicewire, nats_url: str
) -> None:
    await allocate(nats_url, "train")
    spans = [told("allocate", "a", milliseconds=7), told("commit to ledger", "b", "a", failure="no room")]
    async with jaeger(spans) as url:
        drawn = await slicewire("trace", "train", "--jaeger", url, "-o", "table")
        as_json = (await slicewire("trace", "default/train", "--jaeger", url)).json
    assert (drawn.status, drawn.err) == (0, "")
    head, columns, first, second = (line.rstrip() for line in drawn.out.splitlines())
    assert head == f"default/train ({as_json['uid']}), trace {TRACE}:"
    assert columns.split() == ["STEP", "AT", "MS", "TOOK", "MS", "PART"]
    assert first.split() == ["allocate", "0.0", "7.0", "allocator", "node=node-a", "devices=gpu-0"]
    assert second.split() == ["commit", "to", "ledger", "0.0", "1.0", "allocator", "no", "room"]
    assert second.startswith("  commit")
    assert [span["name"] for span in as_json["spans"]] == ["allocate", "commit to ledger"]
    assert as_json["traceparent"].split("-")[1] == TRACE
    assert [each["event"] for each in as_json["happenings"]]


async def test_without_a_backend_it_is_what_the_bus_remembers_with_the_numbers_of_events(
    world: World, slicewire: Slicewire, nats_url: str
) -> None:
    await allocate(nats_url, "train")
    await allocate(nats_url, "other")
    found = await slicewire("trace", "train", "-o", "table")
    assert found.status == 0
    lines = found.out.splitlines()
    assert lines[0].endswith("as the bus remembers it:")
    assert [line.split("  ", 1)[0].isdigit() for line in lines[2:]] == [True] * 3
    whats = " ".join(line for line in lines[2:])
    assert "claim told, decided by slicewire" in whats
    assert "in the ledger of node-a/gpu.nvidia.com: gpu-0" in whats
    assert "given gpu-0 on node-a" in whats
    assert "gpu-1" not in whats  # the ledger was told again for the other claim: no news of this one
    assert found.err.startswith(f"Its trace is {TRACE}: give --jaeger URL")


async def test_a_claim_that_waits_says_why_and_one_that_is_gone_what_it_had(
    world: World, slicewire: Slicewire
) -> None:
    await slicewire(*ALLOCATE, given=yaml_claim("one", 2) + yaml_claim("late"))
    waits = await slicewire("trace", "late")
    assert waits.json["happenings"][-1]["what"].startswith("waits: ")
    await slicewire("release", "one")
    await until(world.held, lambda held: len(held) == 1)
    gone = [each["what"] for each in (await slicewire("trace", "one")).json["happenings"]]
    assert "given gpu-0, gpu-1 on node-a" in gone
    assert {"out of the ledger: given back", "claim gone"} <= {*gone}
    assert (await slicewire("trace", "late")).json["happenings"][-1]["what"].startswith("given gpu-0")


async def test_what_is_not_there_is_said_with_the_next_step(
    world: World, slicewire: Slicewire, nats_url: str
) -> None:
    none = await slicewire("trace", "nobody")
    assert (none.status, none.out) == (1, "")
    assert none.err.startswith(
        "there is no claim default/nobody, and none in the history; `slicewire claims`"
    )
    await slicewire(*ALLOCATE, given=yaml_claim("plain"))
    async with jaeger([]) as url:
        untraced = await slicewire("trace", "plain", "--jaeger", url)
        assert (untraced.status, untraced.json["spans"]) == (1, [])
        assert untraced.err.startswith("default/plain was not traced: nobody had SLICEWIRE_OTLP_ENDPOINT")
        await allocate(nats_url, "train")
        forgotten = await slicewire("trace", "train", "--jaeger", url)
        assert forgotten.err.startswith(f"Jaeger at {url} has no trace {TRACE}: it has forgotten it")
    away = await slicewire("trace", "train", "--jaeger", url, "-o", "table")
    assert away.status == 1
    assert "given gpu-1 on node-a" in away.out  # what the bus knows is shown all the same
    assert away.err.startswith(f"Jaeger at {url} does not answer: ")
    wrong = await slicewire("trace", "train", "--jaeger", "jaeger:16686")
    assert (wrong.status, wrong.out) == (2, "")
    async with jaeger([], status=503) as url:
        assert "answers 503" in (await slicewire("trace", "train", "--jaeger", url)).err


async def test_a_trace_that_was_not_kept_is_told_from_one_that_is_lost(
    world: World, slicewire: Slicewire, nats_url: str
) -> None:
    await allocate(nats_url, "train", flags="00")
    async with jaeger([]) as url:
        found = await slicewire("trace", "train", "--jaeger", url)
    assert (found.status, found.err) == (
        1,
        f"trace {TRACE} was not kept: SLICEWIRE_TRACE_SAMPLE keeps a part of all traces only\n",
    )
