"""Spans of a backend as the tree that they are, and what is said when it is not there."""

from __future__ import annotations

import msgspec
import pytest

from slicewire.client import traces
from slicewire.client.traces import BackendAway, BadBackend, SeenSpan


def span(id_: str, parent: str = "", claim: str = "") -> SeenSpan:
    return SeenSpan(
        service="slicewire-allocator",
        instance="allocator-1",
        name=f"step {id_}",
        id=id_,
        parent=parent,
        begun=1_000_000,
        ended=3_500_000,
        attributes={"slicewire.claim_uid": claim} if claim else {},
        links=(),
        failure="",
    )


def drawn(spans: list[SeenSpan], claim: str = "u-1") -> list[tuple[int, str]]:
    return [(branch.depth, branch.span.id) for branch in traces.tree(spans, claim)]


def test_each_span_is_above_what_it_led_to_in_the_order_they_began() -> None:
    found = drawn([span("a"), span("b", "a"), span("c", "b"), span("d", "a")])
    assert found == [(0, "a"), (1, "b"), (2, "c"), (1, "d")]
    assert span("a").milliseconds == 2.5


def test_a_span_whose_parent_is_not_there_stands_for_itself() -> None:
    assert drawn([span("b", "of a program that exports nothing"), span("c", "b")]) == [(0, "b"), (1, "c")]


def test_of_a_request_for_several_claims_only_the_steps_of_one_are_shown() -> None:
    asked = [span("a", claim="u-1,u-2"), span("b", "a", "u-1"), span("c", "a", "u-2"), span("d", "c")]
    assert drawn(asked, "u-1") == [(0, "a"), (1, "b")]
    assert drawn(asked, "u-2") == [(0, "a"), (1, "c"), (2, "d")]


@pytest.mark.parametrize(
    "url", ["127.0.0.1:16686", "jaeger", "ftp://jaeger", "http://", "file:///etc/passwd"]
)
async def test_what_is_no_url_of_a_query_api_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(BadBackend, match=r"^--jaeger '.*' is no URL like http://127\.0\.0\.1:16686$"):
        await traces.fetched(url, "a" * 32)


async def test_nobody_there_is_said_with_the_reason() -> None:
    with pytest.raises(BackendAway, match=r"^Jaeger at http://127\.0\.0\.1:1 does not answer: .*refused"):
        await traces.fetched("http://127.0.0.1:1", "a" * 32)


def test_a_span_is_a_plain_value() -> None:
    assert msgspec.to_builtins(span("a"))["name"] == "step a"
