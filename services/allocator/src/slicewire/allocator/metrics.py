"""What the allocator measures: how long decisions take, what came of them, what waits, how much is taken.

Counted once a commit, never once a device; how much there is is counted when somebody looks. Refuses to
name a claim or a node in a label.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from slicewire.allocator.view import View
from slicewire.common.bus.port import Committed, Stale
from slicewire.common.messages import ClaimAnswered, LedgerWritten
from slicewire.common.metrics import OTHER, Counter, Gauge, Histogram, Label, Part, Sample
from slicewire.common.model import Device, Rule, Unsatisfiable

_NO_EFFECT = "None"
"""Of a taint that only tells, and keeps nobody off."""

ALLOCATION_SECONDS = Histogram(
    "slicewire_allocator_allocation_seconds",
    "From a claim's being handed over to its answer's being kept by the stream, where there is a new one",
)
STEP_SECONDS = Histogram(
    "slicewire_allocator_step_seconds",
    "The parts of it: queue is one claim's, decide and commit are those of a whole batch",
    Label("step", ("queue", "decide", "commit")),
)
ANSWERS = Counter(
    "slicewire_allocator_answers_total",
    "Claims that were answered; a claim that waits is answered again when its reason changes",
    Label("outcome", ("allocated", "refused")),
)
REFUSALS = Counter(
    "slicewire_allocator_refusals_total",
    "Refused claims by the rules that refused devices, once for each; `invalid` are wrong in themselves",
    Label("reason", (*map(str, Rule), OTHER)),
)
COMMITS = Counter(
    "slicewire_allocator_commits_total",
    "Batches of decisions: kept, or outrun by another allocator and decided again, or lost with the bus",
    Label("outcome", ("kept", "outrun", "lost")),
)
WAITING = Gauge("slicewire_allocator_waiting_claims", "Claims that were refused and may fit after a change")
CLAIMS = Gauge("slicewire_allocator_claims", "Claims that are known")
NODES = Gauge("slicewire_allocator_nodes", "Nodes that are known")
DEVICES = Gauge(
    "slicewire_allocator_devices",
    "Devices that are offered: each is healthy or tainted; allocated are those of both that claims hold",
    Label("state", ("healthy", "tainted", "allocated")),
)
CONFLICTS = Gauge("slicewire_allocator_conflicts", "Devices that more than one claim holds")
PART = Part(
    "allocator",
    (
        ALLOCATION_SECONDS,
        STEP_SECONDS,
        ANSWERS,
        REFUSALS,
        COMMITS,
        WAITING,
        CLAIMS,
        NODES,
        DEVICES,
        CONFLICTS,
    ),
)


def answered(answer: ClaimAnswered) -> None:
    """Count an answer that was kept."""
    ANSWERS.add("allocated" if answer.allocation else "refused")
    if answer.refusal is not None:
        for reason in _reasons(answer.refusal):
            REFUSALS.add(reason)


def _reasons(refusal: Unsatisfiable) -> set[str]:
    """A claim that is wrong in itself is refused before any device is looked at."""
    rules = {str(one.rule) for one in refusal.refusals}
    return rules | {str(Rule.INVALID)} if refusal.fatal else rules or {OTHER}


def committed(outcome: Committed | Stale | None) -> None:
    """Count a batch; None: the bus went away, and nobody knows."""
    match outcome:
        case Committed():
            COMMITS.add("kept")
        case Stale():
            COMMITS.add("outrun")
        case None:
            COMMITS.add("lost")


@asynccontextmanager
async def shown(view: View) -> AsyncIterator[None]:
    """What this view knows, for as long as it is kept."""
    stock = _Stock(view)
    with (
        WAITING.shown(lambda: [((), len(view.waiting))]),
        CLAIMS.shown(lambda: [((), len(view.claims))]),
        NODES.shown(lambda: [((), len(view.snapshot.nodes))]),
        DEVICES.shown(stock.devices),
        CONFLICTS.shown(lambda: [((), sum(len(each.conflicts) for each in view.ledgers))]),
    ):
        yield


class _Stock:
    """Counts devices on the snapshot, which cannot change under it, and only when some may be others."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._counted = (-1, 0, 0)
        """As of which change, and how many are healthy and tainted."""

    def devices(self) -> list[Sample]:
        changes, snapshot = self._view.capacity_changes, self._view.snapshot
        if self._counted[0] != changes:
            found = [
                _is_tainted(device)
                for node in snapshot.nodes
                for each in snapshot.local_slices(node)
                for device in each.spec.devices
            ]
            self._counted = changes, len(found) - sum(found), sum(found)
        _, healthy, tainted = self._counted
        return [
            (("healthy",), healthy),
            (("tainted",), tainted),
            (("allocated",), _allocated(self._view.ledgers)),
        ]


def _is_tainted(device: Device) -> bool:
    return any(taint.effect != _NO_EFFECT for taint in device.taints)


def _allocated(ledgers: Iterable[LedgerWritten]) -> int:
    return sum(len({r.device for e in ledger.entries for r in e.results}) for ledger in ledgers)
