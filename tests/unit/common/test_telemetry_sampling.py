"""A trace is whole or absent, whoever samples; what is borne along is on every span of it."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from slicewire.common import telemetry
from slicewire.common.settings import BadSettings, CommonSettings, from_environ
from tests import otlp

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
KEPT, DROPPED = f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-00"
MANY = 40

PROGRAM = """
import sys
from slicewire.common import telemetry
endpoint, sample, parent, many = sys.argv[1], float(sys.argv[2]), sys.argv[3], int(sys.argv[4])
pods = ("pod-2", "pod-3")
headers = telemetry.bearing({"traceparent": parent} if parent else {}, pod_uid="pod 1", pods=pods, of="")
others = [{"traceparent": f"00-{number:032x}-00f067aa0ba902b7-01"} for number in range(1, many + 1)]
with telemetry.exporting("publisher", "publisher-1", endpoint, sample):
    with telemetry.span("tell claim", parent=headers, since=5_000):
        carried = telemetry.headers()
    with telemetry.span("settle claim", parent=carried) as span:
        kept = span.is_kept
        telemetry.begin("commit", telemetry.headers(), since=1_000, links=others, pods="mine").end(3_000)
    print(int(carried["traceparent"][-2:], 16) & 1, kept)
"""


async def ran(receiver: otlp.Receiver, sample: float, parent: str) -> list[str]:
    """What the program printed; what it exported has arrived by then."""
    command = [sys.executable, "-c", PROGRAM, receiver.endpoint, str(sample), parent, str(MANY)]
    done = await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True, text=True)
    return done.stdout.split()


async def test_what_was_begun_elsewhere_is_kept_whatever_this_part_would_keep() -> None:
    async with otlp.receiving() as receiver:
        assert await ran(receiver, 0, KEPT) == ["1", "True"]
        spans = {span.name: span for span in receiver.spans}
    assert set(spans) == {"tell claim", "settle claim", "commit"}
    assert {span.trace_id for span in spans.values()} == {TRACE}
    assert {span.attributes["slicewire.pod_uid"] for span in spans.values()} == {"pod 1"}
    assert spans["settle claim"].attributes["slicewire.pods"] == "pod-2 pod-3"
    assert spans["commit"].attributes["slicewire.pods"] == "mine"  # it knows better
    assert not [span for span in spans.values() if "slicewire.of" in span.attributes]
    commit = spans["commit"]
    assert (commit.begun_nanoseconds, commit.ended_nanoseconds) == (1_000, 3_000)
    assert spans["tell claim"].begun_nanoseconds == 5_000
    assert 0 < len(commit.links) < MANY  # all of them, for each of them, would be their square


async def test_what_was_dropped_elsewhere_and_what_begins_unsampled_is_absent_and_passed_on_so() -> None:
    async with otlp.receiving() as receiver:
        dropped, begun = await asyncio.gather(ran(receiver, 1, DROPPED), ran(receiver, 0, ""))
        assert dropped == begun == ["0", "False"]
        assert receiver.spans == []


@pytest.mark.parametrize("pods", [("pod-1",), ("pod-1", "pod 2"), ()])
def test_what_is_borne_can_be_read_again(pods: tuple[str, ...]) -> None:
    headers = telemetry.bearing({"traceparent": KEPT}, pod_uid=pods, of="other")
    assert telemetry.borne(headers, "pod_uid") == pods
    assert telemetry.borne({"traceparent": KEPT}, "pod_uid") == ()


def test_nothing_is_borne_where_there_is_nothing_to_say() -> None:
    assert telemetry.bearing({"traceparent": KEPT}, pod_uid="") == {"traceparent": KEPT}


@pytest.mark.parametrize("value", ["1.5", "-0.1", "nan", "inf", "all", "1%", ""])
def test_a_share_that_is_none_is_refused_with_its_name_and_value(value: str) -> None:
    with pytest.raises(BadSettings, match=f"^SLICEWIRE_TRACE_SAMPLE='{value}': "):
        from_environ(CommonSettings, "ALLOCATOR", {"SLICEWIRE_TRACE_SAMPLE": value})


@pytest.mark.parametrize(("value", "share"), [("0", 0.0), ("0.01", 0.01), ("1", 1.0)])
def test_a_share_is_a_number_from_nothing_to_one(value: str, share: float) -> None:
    assert from_environ(CommonSettings, "ALLOCATOR", {"SLICEWIRE_TRACE_SAMPLE": value}).trace_sample == share
