"""Decisions, one after another: each queued, drafted together with others, and committed as one.

A commit that another allocator outran is refused by the stream, and all of it is decided again on what
has been heard since. Refuses to know what is decided: that is for whoever brings the work.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from slicewire.allocator import metrics
from slicewire.allocator.draft import Draft
from slicewire.allocator.ledger import HeardInPart
from slicewire.allocator.passage import Passage, answers_in
from slicewire.allocator.pods import Pods
from slicewire.allocator.view import Hoped, View
from slicewire.common import telemetry
from slicewire.common.bus.port import Bus, BusUnavailable, Committed, Stale, TooLarge, Write
from slicewire.common.logs import Log
from slicewire.common.messages import BadKey, ClaimAnswered
from slicewire.common.model import ClaimUID, TraceParent

_LARGEST_DRAFT = 700
"""A commit holds at most 1,000 writes, and one request of 100 claims on as many pools still fits."""
_STALE_SECONDS = 1.0
_HEARD_WITHIN_SECONDS = 0.02
_MOST_LATE = 250
"""What was committed together is heard within moments; while a bus changes servers, within seconds."""
_log = Log("allocator")


class _Work:
    """One thing to decide. `act` may be called several times, each on a fresh draft."""

    def __init__(self, claims: Sequence[ClaimUID], act: Callable[[Draft], Any]) -> None:
        self.claims = tuple(claims)
        self.passage = Passage(claims)
        self.act = act
        self.done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.result: Any = None
        self.asked_at = time.monotonic()
        self.late = 0


class Decider:
    """The queue, and what becomes of it."""

    def __init__(self, bus: Bus, view: View, pods: Pods) -> None:
        self._bus = bus
        self._view = view
        self._pods = pods
        self._queue: deque[_Work] = deque()
        self._wake = asyncio.Event()
        self._one_by_one = 0
        """So many drafts are of one decision each: one among them cannot be told."""

    async def do(self, claims: Sequence[ClaimUID], act: Callable[[Draft], Any]) -> Any:
        """Have it decided and committed; what `act` returned. Raises `BusUnavailable`."""
        work = _Work(claims, act)
        self._queue.append(work)
        self._wake.set()
        try:
            return await work.done
        finally:
            work.passage.end()

    async def run(self) -> None:
        """For ever."""
        while True:
            while not self._queue:
                self._wake.clear()
                await self._wake.wait()
            await asyncio.sleep(0)  # let everything that has arrived join this commit
            with metrics.STEP_SECONDS.timing("decide"):
                draft, batch = self._draft()
            await self._commit(draft, batch)

    def _draft(self) -> tuple[Draft, list[_Work]]:
        """Decide as much of what waits as one commit can hold."""
        draft, batch = Draft(self._view), list[_Work]()
        largest = 1 if self._one_by_one else _LARGEST_DRAFT
        self._one_by_one = max(0, self._one_by_one - 1)
        while self._queue and len(draft) < largest:
            work = self._queue.popleft()
            if work.done.done():  # nobody waits for it any more
                continue
            before = len(draft)
            metrics.STEP_SECONDS.observe(time.monotonic() - work.asked_at, "queue")
            work.passage.taken()
            try:
                work.result = work.act(draft)
            except HeardInPart as part:
                self._later(work, part)
                self._queue.extendleft(reversed(batch))
                draft, batch = Draft(self._view), []
                continue
            except Exception as error:  # noqa: BLE001 - a bug in one decision must not take the others along
                _log.crashed("decision failed", claim_uids=",".join(work.claims))
                work.done.set_exception(error)
                self._queue.extendleft(reversed(batch))  # the draft is half done: begin again without it
                draft, batch = Draft(self._view), []
                continue
            work.passage.decided(has_written=len(draft) > before)
            batch.append(work)
        return draft, batch

    def _later(self, work: _Work, part: HeardInPart) -> None:
        """Decided again when the rest may have been heard; the others do not wait for it."""
        work.late += 1
        work.passage.queued_again()
        if work.late > _MOST_LATE:
            return _fail(work, BusUnavailable(f"the answer to claim {part} was not heard, ask again"))
        asyncio.get_running_loop().call_later(_HEARD_WITHIN_SECONDS, self._again, work)
        return None

    def _again(self, work: _Work) -> None:
        self._queue.append(work)
        self._wake.set()

    async def _commit(self, draft: Draft, batch: list[_Work]) -> None:
        if not len(draft):
            return _finish(batch)
        passages = [work.passage for work in batch if work.passage.has_written]
        together = [passage.begin() for passage in passages]
        spans = [passage.commit(together) for passage in passages]
        writes = self._pods.named_in(draft.writes(_traces(passages, spans)))
        answers = answers_in(writes)
        for passage in passages:
            passage.tell(answers)
        self._view.hope(Hoped(writes, draft.before, draft.after))
        more = self._view.next_change()
        try:
            with metrics.STEP_SECONDS.timing("commit"):
                outcome = await self._bus.commit(writes)
        except BusUnavailable as error:
            metrics.committed(None)
            _say(spans, f"not known whether it was kept: {error}")
            for work in batch:
                _fail(work, error)
        except (TooLarge, BadKey) as error:
            self._refused(batch, error)
        else:
            if isinstance(outcome, Stale):
                _say(spans, f"outrun by another allocator: {outcome.reason}")
            await self._take_in(outcome, writes, batch, more)
        finally:
            for span in spans:
                span.end()

    def _refused(self, batch: list[_Work], error: TooLarge | BadKey) -> None:
        """One of them cannot be told at all. It must not take the others along: each is tried alone."""
        if len(batch) == 1:
            _log.error("decision cannot be told", claim_uids=",".join(batch[0].claims), reason=str(error))
            _fail(batch[0], error)
            return
        self._queue.extendleft(reversed(batch))
        self._one_by_one = len(batch)

    async def _take_in(
        self,
        outcome: Committed | Stale,
        writes: Sequence[Write],
        batch: list[_Work],
        more: asyncio.Event,
    ) -> None:
        metrics.committed(outcome)
        match outcome:
            case Committed():
                self._view.kept(outcome)
                _log_answers(writes)
                _finish(batch)
            case Stale():
                _log.info("outrun, deciding again", reason=outcome.reason, works=len(batch))
                for work in batch:
                    work.passage.queued_again()
                self._queue.extendleft(reversed(batch))
                with suppress(TimeoutError):
                    async with asyncio.timeout(_STALE_SECONDS):
                        await more.wait()


def _traces(passages: Sequence[Passage], spans: Sequence[telemetry.Span]) -> dict[ClaimUID, TraceParent]:
    return {uid: span.traceparent() for one, span in zip(passages, spans, strict=True) for uid in one.claims}


def _say(spans: Sequence[telemetry.Span], failure: str) -> None:
    for span in spans:
        span.failed(failure)


def _finish(batch: Sequence[_Work]) -> None:
    for work in batch:
        if not work.done.done():
            if work.passage.has_written:
                metrics.ALLOCATION_SECONDS.observe(time.monotonic() - work.asked_at)
            work.done.set_result(work.result)


def _fail(work: _Work, error: Exception) -> None:
    if not work.done.done():
        work.done.set_exception(error)


def _log_answers(writes: Sequence[Any]) -> None:
    for write in writes:
        if isinstance(write.fact, ClaimAnswered):
            answer = write.fact
            metrics.answered(answer)
            outcome = "claim allocated" if answer.allocation else "claim refused"
            why = answer.refusal.message if answer.refusal else ""
            ref = answer.claim
            with telemetry.carried({"traceparent": write.trace}):
                _log.info(outcome, claim=ref.label, claim_uid=ref.uid, node=answer.node, reason=why)
