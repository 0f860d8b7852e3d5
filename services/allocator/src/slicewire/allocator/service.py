"""The allocator: hears everything, decides on what it heard, commits, answers.

Several run at once. Each claim that Kubernetes shows is handed to one of them (`take`), each request
reaches one of them (`serve`); a commit that another one outran is refused by the stream, and decided
again on what has been heard since. Nothing is decided before everything was heard once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from slicewire.allocator import admission, questions
from slicewire.allocator.draft import Draft
from slicewire.allocator.past import Pasts, Seen
from slicewire.allocator.view import FOLLOWED, Hoped, View
from slicewire.common import telemetry
from slicewire.common.bus.port import (
    Bus,
    BusUnavailable,
    CaughtUp,
    Committed,
    Declined,
    Delivery,
    Heard,
    Stale,
    Write,
)
from slicewire.common.logs import Log
from slicewire.common.messages import (
    ALLOCATE,
    CAPACITY,
    CLAIMS,
    EXPLAIN,
    RELEASE,
    WHATIF,
    AllocateReply,
    AllocateRequest,
    CapacityReply,
    CapacityRequest,
    ClaimAnswered,
    ClaimObserved,
    ExplainReply,
    ExplainRequest,
    ReleaseReply,
    ReleaseRequest,
    WhatIfReply,
    WhatIfRequest,
)
from slicewire.common.model import ClaimUID, TraceParent

_LARGEST_DRAFT = 700
"""A commit holds at most 1,000 writes, and one request of 100 claims on as many pools still fits."""
_STALE_SECONDS = 1.0
_AGAIN_SECONDS = 0.5
_AT_ONCE = 64
_log = Log("allocator")


class _Work:
    """One thing to decide. `act` may be called several times, each on a fresh draft."""

    def __init__(self, claims: Sequence[ClaimUID], act: Callable[[Draft], Any]) -> None:
        self.claims = tuple(claims)
        self.act = act
        self.done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.span = telemetry.begin("allocate", telemetry.traceparent(), claim_uid=",".join(claims))
        self.result: Any = None


class Allocator:
    def __init__(
        self, bus: Bus, untold_allocation: str, when_caught_up: Callable[[], None] = lambda: None
    ) -> None:
        self._bus = bus
        self._when_caught_up = when_caught_up
        self._view = View(untold_allocation)
        self._pasts = Pasts(bus, untold_allocation)
        self._queue: deque[_Work] = deque()
        self._wake = asyncio.Event()
        self._caught_up = asyncio.Event()
        self._is_serving = False

    def is_ready(self) -> bool:
        """Everything has been heard once, and questions are answered."""
        return self._is_serving

    async def run(self) -> None:
        """For ever. One loop failing stops the allocator: started again, it rebuilds itself."""
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self._hear())
            await self._caught_up.wait()
            loops.create_task(self._decide())
            loops.create_task(self._take())
            loops.create_task(self._reconsider())
            loops.create_task(self._put_right())
            handlers: dict[Any, Any] = {
                ALLOCATE: self._allocate,
                RELEASE: self._release,
                EXPLAIN: self._explain,
                WHATIF: self._what_if,
                CAPACITY: self._capacity,
            }
            async with self._bus.serve(handlers, name="allocator"):
                self._is_serving = True
                await asyncio.Event().wait()

    async def _hear(self) -> None:
        async for heard in self._bus.follow(*FOLLOWED):
            if isinstance(heard, CaughtUp):
                _log.info("caught up", sequence=heard.sequence, nodes=len(self._view.snapshot.nodes))
                self._view.doubt()
                self._when_caught_up()
                self._caught_up.set()
            else:
                self._view.hear(heard)

    async def _take(self) -> None:
        """Claims as Kubernetes shows them, changed or gone: each handed to one allocator."""
        async with asyncio.TaskGroup() as tasks:
            room = asyncio.Semaphore(_AT_ONCE)
            async for delivery in self._bus.take(CLAIMS, by="allocator"):
                if self._is_settled(delivery.heard):
                    await _end(delivery)
                    continue
                await room.acquire()
                tasks.create_task(self._settle(delivery)).add_done_callback(lambda _: room.release())

    def _is_settled(self, heard: Heard[ClaimObserved]) -> bool:
        """Known already, and nothing to do: so it is with every claim that came over the bus.

        Whatever is being committed meanwhile tells a newer fact of the claim, or has its own taker.
        """
        uid = ClaimUID(heard.key[0])
        if self._view.sequence(CLAIMS, heard.key) < heard.sequence or not self._view.is_at_rest(uid):
            return False
        draft = Draft(self._view)
        draft.settle(uid)
        return not len(draft)

    async def _settle(self, delivery: Delivery[ClaimObserved]) -> None:
        heard = delivery.heard
        uid = ClaimUID(heard.key[0])
        await self._view.reach(CLAIMS, heard.key, heard.sequence)
        if not self._is_settled(heard):  # as is a claim that came over the bus with its answer
            with telemetry.span("settle claim", kind=telemetry.Kind.CONSUMER, parent=heard.headers):
                try:
                    await self._do([uid], lambda draft: draft.settle(uid))
                except BusUnavailable:
                    return  # not ended: handed out again, to whoever is connected
        await _end(delivery)

    async def _reconsider(self) -> None:
        """Claims that wait, whenever something may have become free."""
        seen = -1
        while True:
            while self._view.capacity_changes == seen:
                await self._view.change()
            seen = self._view.capacity_changes
            waiting = tuple(self._view.waiting)
            for start in range(0, len(waiting), _AT_ONCE):
                some = [self._do([uid], _settling(uid)) for uid in waiting[start : start + _AT_ONCE]]
                if any(
                    isinstance(done, BusUnavailable)
                    for done in await asyncio.gather(*some, return_exceptions=True)
                ):
                    seen = -1
                    await asyncio.sleep(_AGAIN_SECONDS)

    async def _put_right(self) -> None:
        """Claims of which somebody late has written what does not go with what they have become."""
        while True:
            while not self._view.doubtful:
                await self._view.change()
            uids = tuple(self._view.doubtful)[:_AT_ONCE]
            for uid in uids:
                del self._view.doubtful[uid]
            settling = [self._do([uid], _settling(uid)) for uid in uids]
            done = await asyncio.gather(*settling, return_exceptions=True)
            lost = [uid for uid, each in zip(uids, done, strict=True) if isinstance(each, BusUnavailable)]
            if lost:
                self._view.doubtful |= dict.fromkeys(lost)
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _allocate(self, request: AllocateRequest) -> AllocateReply | Declined:
        def act(draft: Draft) -> AllocateReply | Declined:
            refusal = admission.refuse_claims(request.claims, draft.claim_of, draft.was_released)
            return refusal or AllocateReply(answers=draft.admit(request.claims))

        reply: AllocateReply | Declined = await self._do([claim.uid for claim in request.claims], act)
        return reply

    async def _release(self, request: ReleaseRequest) -> ReleaseReply | Declined:
        uid = admission.find(request.claim, self._view)
        if isinstance(uid, Declined):
            return uid
        claim = self._view.claims[uid].claim
        if claim.metadata.creation_timestamp:
            return Declined(409, f"claim {claim.label} belongs to Kubernetes: delete it there")
        await self._do([uid], lambda draft: draft.forget(uid))
        return ReleaseReply(released=request.claim)

    async def _seen(self, at: int | None) -> Seen | Declined:
        """What to answer a question from: the state as it is, or as it was."""
        return await self._pasts.seen(at) if at else Seen(self._view)

    async def _explain(self, request: ExplainRequest) -> ExplainReply | Declined:
        seen = await self._seen(request.at)
        return seen if isinstance(seen, Declined) else questions.explain(request, seen)

    async def _what_if(self, request: WhatIfRequest) -> WhatIfReply | Declined:
        seen = await self._seen(request.at)
        return seen if isinstance(seen, Declined) else questions.what_if(request, seen)

    async def _capacity(self, request: CapacityRequest) -> CapacityReply | Declined:
        seen = await self._seen(request.at)
        return seen if isinstance(seen, Declined) else await questions.capacity(request, seen)

    async def _do(self, claims: Sequence[ClaimUID], act: Callable[[Draft], Any]) -> Any:
        """Have it decided and committed; what `act` returned. Raises `BusUnavailable`."""
        work = _Work(claims, act)
        self._queue.append(work)
        self._wake.set()
        try:
            return await work.done
        finally:
            work.span.end()

    async def _decide(self) -> None:
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


async def _end(delivery: Delivery[ClaimObserved]) -> None:
    with suppress(BusUnavailable):  # handed out again, and then there is nothing left to do
        await delivery.ack()


def _settling(uid: ClaimUID) -> Callable[[Draft], None]:
    return lambda draft: draft.settle(uid)


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
