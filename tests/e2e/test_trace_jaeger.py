"""What an operator finds in a real Jaeger: one trace a claim, with every part that had a hand in it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from examples.demo import Demo, Story, everything
from slicewire.client import documents
from slicewire.client.traces import SeenSpan
from slicewire.common.model import ResourceClaim
from tests.jaeger import server
from tests.jaeger.binary import CannotRun
from tests.jaeger.server import Jaeger

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(180)]
COMMAND = str(Path(sys.executable).parent / "slicewire")
STEPS = (
    ("settle claim", "tell claim"),
    ("allocate", "settle claim"),
    ("wait in queue", "allocate"),
    ("decide", "allocate"),
    ("commit to ledger", "allocate"),
    ("write claim status", "commit to ledger"),
    ("lift gate", "commit to ledger"),
    ("answer kubelet", "commit to ledger"),
    ("prepare claim", "answer kubelet"),
    ("write cdi file", "prepare claim"),
)


@pytest.fixture
def jaeger(tmp_path: Path) -> Iterator[Jaeger]:
    try:
        with server.running(tmp_path / "jaeger.log") as running:
            yield running
    except CannotRun as reason:
        pytest.skip(f"no Jaeger: {reason}")


@pytest.fixture
async def demo(jaeger: Jaeger, short_folder: Path) -> AsyncIterator[Demo]:
    async with everything(short_folder, Story(), otlp_endpoint=jaeger.endpoint) as world:
        yield world


def parents(spans: tuple[SeenSpan, ...]) -> set[tuple[str, str]]:
    names = {span.id: span.name for span in spans}
    return {(span.name, names.get(span.parent, "")) for span in spans}


async def slicewire(demo: Demo, jaeger: Jaeger, *arguments: str, given: str = "") -> str:
    """The command as a user has it, told where the bus, the spans and Jaeger are."""
    environ = {
        **os.environ,
        "SLICEWIRE_NATS_URL": demo.running.nats_url,
        "SLICEWIRE_OTLP_ENDPOINT": jaeger.endpoint,
        "SLICEWIRE_CLIENT_JAEGER_URL": jaeger.url,
        "COLUMNS": "160",
    }
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        COMMAND, *arguments, env=environ, stdin=pipe, stdout=pipe, stderr=pipe
    )
    out, err = await process.communicate(given.encode())
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_a_pod_of_kubernetes_is_one_trace_in_jaeger_and_is_found_by_its_uid(
    demo: Demo, jaeger: Jaeger
) -> None:
    await demo.slices_are_published()
    await demo.claims_are_allocated()
    async with demo.kubelets() as plugins:
        await demo.claims_are_prepared(plugins)
    trace = await demo.trace_of_the_pod()
    spans = await asyncio.to_thread(jaeger.trace_with, trace, [name for name, _ in STEPS])
    assert set(STEPS) <= parents(spans)
    assert [span.name for span in spans if not span.parent] == ["tell claim"]
    parts = {"slicewire-publisher", "slicewire-allocator", "slicewire-node-prep"}
    assert {span.service for span in spans} == parts
    pod = (await demo.api.pods())["trainer-1"]["metadata"]["uid"]
    told = {span.service for span in spans if span.attributes.get("slicewire.pod_uid") == pod}
    assert told == parts
    of_no_pod = {span.name for span in spans if span.attributes.get("slicewire.pod_uid") != pod}
    assert not {"answer kubelet", "prepare claim", "write cdi file"} & of_no_pod
    for part in sorted(told):
        assert await asyncio.to_thread(jaeger.traces_of_pod, part, pod) == {trace}
    assert await asyncio.to_thread(jaeger.services) >= parts | {"slicewire-discovery"}
    decided = [span for span in spans if span.name == "decide" and "slicewire.devices" in span.attributes]
    assert {span.attributes["slicewire.node"] for span in decided} == {"node-a"}  # once an attempt


async def test_slicewire_trace_draws_what_jaeger_has_of_a_claim_over_the_bus(
    demo: Demo, jaeger: Jaeger
) -> None:
    await demo.slices_are_published()
    await slicewire(demo, jaeger, "claim", "-f", "-", given=CLAIMS)
    trace = json.loads(await slicewire(demo, jaeger, "trace", "one"))["traceparent"].split("-")[1]
    await asyncio.to_thread(jaeger.trace_with, trace, ("slicewire claim", "write cdi file"))
    told: Any = json.loads(await slicewire(demo, jaeger, "trace", "one"))
    assert {span["service"] for span in told["spans"]} == {
        "slicewire-client",
        "slicewire-allocator",
        "slicewire-node-prep",
    }
    assert told["happenings"][-1]["what"].startswith("prepared on ")
    drawn = await slicewire(demo, jaeger, "trace", "one", "-o", "table")
    lines = drawn.splitlines()
    assert lines[0] == f"default/one ({told['uid']}), trace {trace}:"
    assert lines[1].split() == ["STEP", "AT", "MS", "TOOK", "MS", "PART"]
    assert lines[2].split()[:2] == ["slicewire", "claim"]
    assert len([line for line in lines if "commit to ledger" in line]) == 1  # that of `two` is not shown


async def test_claims_that_are_committed_together_link_to_each_other(demo: Demo, jaeger: Jaeger) -> None:
    await demo.slices_are_published()
    asked = [claim for claim in documents.read(CLAIMS, "test").claims for _ in range(4)]
    named = [with_name(claim, f"claim-{number}") for number, claim in enumerate(asked)]
    await asyncio.gather(*(demo.client.allocate(claim) for claim in named))
    traces = {entry.trace.split("-")[1] for entry in await demo.entries()}
    found = {
        trace: await asyncio.to_thread(jaeger.trace_with, trace, ("commit to ledger",)) for trace in traces
    }
    together = {
        (trace, linked)
        for trace, spans in found.items()
        for span in spans
        if span.name == "commit to ledger"
        for linked in span.links
    }
    assert together
    assert all((other, one) in together for one, other in together)


def with_name(claim: ResourceClaim, name: str) -> ResourceClaim:
    return msgspec.structs.replace(claim, metadata=msgspec.structs.replace(claim.metadata, name=name))


CLAIMS = "---".join(
    f"""
apiVersion: resource.k8s.io/v1
kind: ResourceClaim
metadata: {{name: {name}}}
spec: {{devices: {{requests: [{{name: gpu, exactly: {{deviceClassName: gpu.nvidia.com}}}}]}}}}
"""
    for name in ("one", "two")
)
