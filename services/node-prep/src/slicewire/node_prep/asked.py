"""A question for a claim, as the spans of its answer: they belong to the claim's trace, whoever asked.

Whose trace it is, is known only when the claim has been found in the ledger, so that the kubelet's call
becomes a span in hindsight. Refuses to know how anything is prepared.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from slicewire.common import telemetry
from slicewire.common.model import NodeName, TraceParent
from slicewire.common.telemetry import Kind
from slicewire.node_prep.core.entry import Asker, Entry
from slicewire.node_prep.core.node import Allocation, Claim


class Asked(msgspec.Struct, frozen=True):
    by: Asker
    context: Mapping[str, str]
    """Trace context of the question."""
    at: int = msgspec.field(default_factory=time.time_ns)


@contextmanager
def preparing(
    claim: Claim, asked: Asked, trace: TraceParent, node: NodeName, pods: Sequence[str] = ()
) -> Iterator[telemetry.Span]:
    """The span of the preparation; the kubelet's call, with all that it waited for, is around it. On them and
    on the steps in them are the UIDs of the pods."""
    parent = telemetry.bearing({"traceparent": trace} if trace else asked.context, pod_uid=tuple(pods))
    about: dict[str, Any] = {"claim_uid": claim.uid, "claim": claim.label, "node": node}
    if asked.by is not Asker.KUBELET:
        with telemetry.span(
            "prepare claim", kind=Kind.CONSUMER, parent=parent, links=(asked.context,), **about
        ) as span:
            yield span
        return
    with (
        telemetry.span(
            "answer kubelet", kind=Kind.SERVER, parent=parent, links=(asked.context,), since=asked.at, **about
        ),
        telemetry.span("prepare claim", **about) as span,
    ):
        yield span


def trace_of(allocation: Allocation | None, entry: Entry | None) -> TraceParent:
    """The trace that the claim belongs to, whoever asks."""
    if allocation is not None and allocation.trace:
        return allocation.trace
    return entry.trace if entry is not None else TraceParent("")
