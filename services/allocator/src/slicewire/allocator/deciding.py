"""Decisions, one after another: each queued, drafted together with others, and committed as one.

A commit that another allocator outran is refused by the stream, and all of it is decided again on what
has been heard since. Refuses to know what is decided: that is for whoever brings the work.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from slicewire.allocator.draft import Draft
from slicewire.allocator.view import Hoped, View
from slicewire.common import telemetry
from slicewire.common.bus.port import Bus, BusUnavailable, Committed, Stale, Write
from slicewire.common.logs import Log
from slicewire.common.messages import ClaimAnswered
from slicewire.common.model import ClaimUID, TraceParent

_LARGEST_DRAFT = 700
"""A commit holds at most 1,000 writes, and one request of 100 claims on as many pools still fits."""
_STALE_SECONDS = 1.0
_log = Log("allocator")


class _Work:
    """One thing to decide. `act` may be called several times, each on a fresh draft."""

    def __init__(self, claims: Sequence[ClaimUID], act: Callable[[Draft], Any]) -> None:
        self.claims = tuple(claims)
        self.act = act
        self.done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.span = telemetry.begin("allocate", telemetry.traceparent(), claim_uid=",".join(claims))
        self.result: Any = None


class Decider:
    """The queue, and what becomes of it."""

    def __init__(self, bus: Bus, view: View) -> None:
        self._bus = bus
        self._view = view
        self._queue: deque[_Work] = deque()
        self._wake = asyncio.Event()

    async def do(self, claims: Sequence[ClaimUID], act: Callable[[Draft], Any]) -> Any:
        """Have it decided and committed; what `act` returned. Raises `BusUnavailable`."""
        work = _Work(claims, act)
        self._queue.append(work)
        self._wake.set()
        try:
            return await work.done
        finally:
            work.span.end()

    async def run(self) -> None:
        """For ever."""
        while True:
            while not self._queue:
                self._wake.clear()
                await self._wake.wait()
            await asyncio.sleep(0)  # let everything that has arrived join this commit
            draft, batch = self._draft()
            await self._commit(draft, batch)

    def _draft(self) -> tuple[Draft, list[_Work]]:
        """Decide as much of what waits as one commit can hold."""
        draft, batch = Draft(self._view), list[_Work]()
        while self._queue and len(draft) < _LARGEST_DRAFT:
            work = self._queue.popleft()
            if work.done.done():  # nobody waits for it any more
                continue
            span = telemetry.begin("decide", work.span.traceparent())
            try:
                work.result = work.act(draft)
            except Exception as error:  # noqa: BLE001 - a bug in one decision must not take the others along
                _log.crashed("decision failed", claims=",".join(work.claims))
                work.done.set_exception(error)
                self._queue.extendleft(reversed(batch))  # the draft is half done: begin again without it
                return self._draft()
            finally:
                span.end()
            batch.append(work)
        return draft, batch

    async def _commit(self, draft: Draft, batch: list[_Work]) -> None:
        if not len(draft):
            return _finish(batch)
        spans = [telemetry.begin("commit to ledger", work.span.traceparent()) for work in batch]
        traces = _traces(batch, spans)
        writes = draft.writes(traces)
        self._view.hope(Hoped(writes, draft.before, draft.after))
        more = self._view.next_change()
        try:
            outcome = await self._bus.commit(writes)
        except BusUnavailable as error:
            for work in batch:
                _fail(work, error)
        else:
            await self._take_in(outcome, writes, batch, more)
        finally:
            for span in spans:
                span.end()

    async def _take_in(
        self,
        outcome: Committed | Stale,
        writes: Sequence[Write],
        batch: list[_Work],
        more: asyncio.Event,
    ) -> None:
        match outcome:
            case Committed():
                self._view.kept(outcome)
                _log_answers(writes)
                _finish(batch)
            case Stale():
                _log.info("outrun, deciding again", reason=outcome.reason, works=len(batch))
                self._queue.extendleft(reversed(batch))
                with suppress(TimeoutError):
                    async with asyncio.timeout(_STALE_SECONDS):
                        await more.wait()


def _traces(batch: Sequence[_Work], spans: Sequence[telemetry.Span]) -> dict[ClaimUID, TraceParent]:
    return {uid: span.traceparent() for work, span in zip(batch, spans, strict=True) for uid in work.claims}


def _finish(batch: Sequence[_Work]) -> None:
    for work in batch:
        if not work.done.done():
            work.done.set_result(work.result)


def _fail(work: _Work, error: BusUnavailable) -> None:
    if not work.done.done():
        work.done.set_exception(error)


def _log_answers(writes: Sequence[Any]) -> None:
    for write in writes:
        if isinstance(write.fact, ClaimAnswered):
            answer = write.fact
            outcome = "claim allocated" if answer.allocation else "claim refused"
            why = answer.refusal.message if answer.refusal else ""
            ref = answer.claim
            with telemetry.carried({"traceparent": write.trace}):
                _log.info(outcome, claim=ref.label, claim_uid=ref.uid, node=answer.node, why=why)
