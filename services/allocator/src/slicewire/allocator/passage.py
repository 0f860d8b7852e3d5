"""The way of one thing through the queue and the commit, as the spans that are read afterwards.

Nothing is told of it before something is to be written: a thousand claims that wait, looked at again and
refused again whenever a device comes free, would bury what is worth a look. Refuses to decide anything.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from slicewire.common import telemetry
from slicewire.common.bus.port import Write
from slicewire.common.messages import ClaimAnswered
from slicewire.common.model import ClaimUID, TraceParent


class Passage:
    """One thing to decide, from its arrival to its answer."""

    def __init__(self, claims: Sequence[ClaimUID]) -> None:
        self.claims = tuple(claims)
        self._claims = ",".join(claims)
        self._arrived = self._queued = time.time_ns()
        self._taken = self._decided = 0
        self._given = telemetry.headers()
        self._attempts = 0
        self._whole: telemetry.Span | None = None
        self.has_written = False

    def taken(self) -> None:
        """Out of the queue, to be decided."""
        self._taken = time.time_ns()

    def decided(self, *, has_written: bool) -> None:
        self._decided = time.time_ns()
        self.has_written = has_written

    def queued_again(self) -> None:
        """Another allocator was faster."""
        self._queued = time.time_ns()

    def begin(self) -> dict[str, str]:
        """Something is to be written: from here on it is a trace. Returns its context."""
        self._attempts += 1
        if self._whole is None:
            self._whole = telemetry.begin(
                "allocate", self._given, since=self._arrived, claim_uid=self._claims
            )
        return self._context()

    def commit(self, together: Sequence[Mapping[str, str]]) -> telemetry.Span:
        """The span of the commit. `together` are the contexts of all whose commit it is."""
        context = self._context()
        return telemetry.begin(
            "commit to ledger",
            context,
            links=[other for other in together if other != context] if context else (),
            claim_uid=self._claims,
            committed_together=len(together),
            attempt=self._attempts,
        )

    def tell(self, answers: Mapping[ClaimUID, ClaimAnswered]) -> None:
        """How long it waited, and what was decided."""
        context = self._context()
        telemetry.begin("wait in queue", context, since=self._queued).end(self._taken)
        decision = telemetry.begin("decide", context, since=self._taken, claim_uid=self._claims)
        if decision.is_kept:
            _say(decision, [answers[uid] for uid in self.claims if uid in answers])
        decision.end(self._decided)

    def _context(self) -> dict[str, str]:
        trace = self._whole.traceparent() if self._whole else TraceParent("")
        return {**self._given, "traceparent": trace} if trace else {}

    def end(self) -> None:
        if self._whole is not None:
            self._whole.end()


def _say(decision: telemetry.Span, answers: Sequence[ClaimAnswered]) -> None:
    """What each claim was given, or why it waits."""
    results = [
        result for answer in answers if answer.allocation for result in answer.allocation.devices.results
    ]
    if results:
        decision.tell(
            node=", ".join(sorted({answer.node for answer in answers if answer.node})),
            pool=", ".join(sorted({result.pool for result in results})),
            devices=[result.device for result in results],
        )
    reasons = [answer.refusal.message for answer in answers if answer.refusal]
    if reasons:
        decision.tell(reason="; ".join(reasons))


def answers_in(writes: Sequence[Write]) -> dict[ClaimUID, ClaimAnswered]:
    return {write.fact.claim.uid: write.fact for write in writes if isinstance(write.fact, ClaimAnswered)}
