"""One trace from the claim to the container, received over OTLP."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from examples.demo import Demo
from slicewire.client import documents, library
from slicewire.common import telemetry
from tests import otlp
from tests.otlp import ReceivedSpan

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


def parents(spans: Sequence[ReceivedSpan]) -> set[tuple[str, str]]:
    """(name, name of the parent) of every span."""
    names = {span.span_id: span.name for span in spans}
    return {(span.name, names.get(span.parent_id, "")) for span in spans}


async def test_a_claim_of_kubernetes_is_one_trace_through_every_part(demo: Demo) -> None:
    await demo.slices_are_published()
    await demo.claims_are_allocated()
    async with demo.kubelets() as plugins:
        await demo.claims_are_prepared(plugins)
        trace = await demo.trace_of_the_pod()
        wanted = ("tell claim", "commit to ledger", "prepare claim", "write cdi file", "lift gate")
        assert await demo.spans.until_it_has(wanted, trace, 15)
    spans = demo.spans.trace(trace)
    found = parents(spans)
    assert {
        ("tell claim", ""),
        ("settle claim", "tell claim"),
        ("allocate", "settle claim"),
        ("decide", "allocate"),
        ("commit to ledger", "allocate"),
        ("wait in queue", "allocate"),
        ("answer kubelet", "commit to ledger"),
        ("prepare claim", "answer kubelet"),
        ("write cdi file", "prepare claim"),
        ("checkpoint", "prepare claim"),
        ("protect claim", "commit to ledger"),
        ("write claim status", "commit to ledger"),
        ("lift gate", "commit to ledger"),
    } <= found
    assert len([span for span in spans if not span.parent_id]) == 1
    assert {span.service for span in spans} == {
        "slicewire-publisher",
        "slicewire-allocator",
        "slicewire-node-prep",
    }


async def test_a_claim_over_the_bus_is_one_trace_that_begins_with_the_client(demo: Demo) -> None:
    await demo.slices_are_published()
    claim = documents.read(CLAIM, "test").claims[0]
    root = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    with telemetry.carried({"traceparent": root}):
        async with library.connect(demo.running.nats_url) as client:
            (answer,) = await client.allocate(claim)
            assert answer.allocation is not None
            assert not (await client.prepare(answer)).error
    wanted = ("answer allocate", "commit to ledger", "prepare claim", "write cdi file")
    assert await demo.spans.until_it_has(wanted, "a" * 32, 15), otlp.tree(demo.spans.spans)
    assert {
        ("answer allocate", ""),  # its parent is the caller's own span, which the caller keeps
        ("allocate", "answer allocate"),
        ("commit to ledger", "allocate"),
        ("prepare claim", "commit to ledger"),
        ("write cdi file", "prepare claim"),
    } <= parents(demo.spans.trace("a" * 32))


CLAIM = """
apiVersion: resource.k8s.io/v1
kind: ResourceClaim
metadata: {name: traced}
spec: {devices: {requests: [{name: gpu, exactly: {deviceClassName: gpu.nvidia.com}}]}}
"""
