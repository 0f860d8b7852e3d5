"""Trace context through headers: passed on when nothing is exported, exported when it is asked for."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from slicewire.common import telemetry
from tests import otlp

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CONTEXT = {"traceparent": f"00-{TRACE}-{SPAN}-01"}


def test_without_a_trace_there_are_no_headers() -> None:
    assert telemetry.headers() == {}
    assert telemetry.traceparent() == ""
    with telemetry.span("work") as span:
        assert telemetry.headers() == {}
        assert span.traceparent() == ""


def test_what_came_in_headers_goes_out_in_headers_though_nothing_is_exported() -> None:
    with telemetry.carried(CONTEXT):
        assert telemetry.headers() == CONTEXT
        assert telemetry.traceparent() == CONTEXT["traceparent"]
    assert telemetry.headers() == {}


def test_a_span_that_is_not_exported_still_passes_its_parent_on() -> None:
    with telemetry.span("work", parent=CONTEXT, kind=telemetry.Kind.CONSUMER, links=[CONTEXT]) as span:
        span.tell(claim_uid="u", count=2)
        span.failed("no room")
        assert telemetry.headers() == CONTEXT
        assert span.traceparent() == CONTEXT["traceparent"]
        with telemetry.span("inner"):
            assert telemetry.headers() == CONTEXT


def test_headers_without_context_end_the_trace_that_was_current() -> None:
    with telemetry.carried(CONTEXT):
        with telemetry.carried({"ce-id": "7"}):
            assert telemetry.headers() == {}
        with telemetry.span("work", parent={}):
            assert telemetry.headers() == {}
        assert telemetry.headers() == CONTEXT


@pytest.mark.parametrize(
    "text", ["", "x", "00-0-0-01", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01"]
)
def test_a_context_that_is_no_context_counts_as_none(text: str) -> None:
    with telemetry.carried({"traceparent": text}):
        assert telemetry.headers() == {}


def test_a_span_of_its_own_has_its_parent_and_is_not_current() -> None:
    with telemetry.carried({}):
        span = telemetry.begin("commit", CONTEXT, claim_uid="u")
        assert span.traceparent() == CONTEXT["traceparent"]
        assert telemetry.headers() == {}
        span.end()


def test_no_endpoint_exports_nothing() -> None:
    with telemetry.exporting("test", "test-1", ""), telemetry.span("work"):
        assert telemetry.headers() == {}


async def test_each_task_has_the_trace_it_was_started_in() -> None:
    async def seen() -> str:
        await asyncio.sleep(0)
        return telemetry.traceparent()

    with telemetry.carried(CONTEXT):
        inside = asyncio.create_task(seen())
    assert (await inside, await asyncio.create_task(seen())) == (CONTEXT["traceparent"], "")


PROGRAM = """
import sys
from slicewire.common import telemetry
parent = {"traceparent": sys.argv[2]}
with telemetry.exporting("allocator", "allocator-1", sys.argv[1] + "/"):
    with telemetry.span("settle claim", parent=parent, kind=telemetry.Kind.CONSUMER) as outer:
        outer.tell(claim_uid="u-1")
        with telemetry.span("decide", of="default/train"):
            told = telemetry.traceparent()
    later = telemetry.begin("commit", {"traceparent": told})
    later.end()
    print(told, later.traceparent())
"""


async def test_spans_reach_a_receiver_under_the_trace_they_came_in_before_the_program_ends() -> None:
    async with otlp.receiving() as receiver:
        printed = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", PROGRAM, receiver.endpoint, CONTEXT["traceparent"]],
            check=True,
            capture_output=True,
            text=True,
        )
        spans = {span.name: span for span in receiver.spans}
    assert printed.stderr == ""
    assert set(spans) == {"settle claim", "decide", "commit"}
    outer, inner, later = spans["settle claim"], spans["decide"], spans["commit"]
    assert {span.trace_id for span in spans.values()} == {TRACE}
    assert (outer.parent_id, inner.parent_id, later.parent_id) == (SPAN, outer.span_id, inner.span_id)
    assert {(span.service, span.instance) for span in spans.values()} == {
        ("slicewire-allocator", "allocator-1")
    }
    assert outer.attributes["slicewire.claim_uid"] == "u-1"
    assert inner.attributes["slicewire.of"] == "default/train"
    assert printed.stdout.split() == [
        f"00-{TRACE}-{inner.span_id}-01",
        f"00-{TRACE}-{later.span_id}-01",
    ]
