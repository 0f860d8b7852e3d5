"""The allocator: hears everything, decides on what it heard, commits, answers.

Several run at once. Each claim that Kubernetes shows is handed to one of them (`take`), each request
reaches one of them (`serve`); a commit that another one outran is refused by the stream, and decided
again on what has been heard since. Nothing is decided before everything was heard once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from slicewire.allocator import admission, metrics, questions
from slicewire.allocator.deciding import Decider
from slicewire.allocator.draft import Draft
from slicewire.allocator.past import Pasts, Seen
from slicewire.allocator.pods import Pods
from slicewire.allocator.view import FOLLOWED, View
from slicewire.common import telemetry
from slicewire.common.bus.port import (
    Bus,
    BusUnavailable,
    CaughtUp,
    Declined,
    Delivery,
    Heard,
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
    ClaimObserved,
    ExplainReply,
    ExplainRequest,
    ReleaseReply,
    ReleaseRequest,
    WhatIfReply,
    WhatIfRequest,
)
from slicewire.common.model import ClaimUID

_AGAIN_SECONDS = 0.5
_AT_ONCE = 64
_log = Log("allocator")


class Allocator:
    def __init__(
        self, bus: Bus, untold_allocation: str, when_caught_up: Callable[[], None] = lambda: None
    ) -> None:
        self._bus = bus
        self._when_caught_up = when_caught_up
        self._view = View(untold_allocation)
        self._pasts = Pasts(bus, untold_allocation)
        self._pods = Pods()
        self._decider = Decider(bus, self._view, self._pods)
        self._caught_up = asyncio.Event()
        self._is_serving = False

    def is_ready(self) -> bool:
        """Everything has been heard once, and questions are answered."""
        return self._is_serving

    async def run(self) -> None:
        """For ever. One loop failing stops the allocator: started again, it rebuilds itself."""
        async with metrics.shown(self._view), asyncio.TaskGroup() as loops:
            loops.create_task(self._hear())
            await self._caught_up.wait()
            loops.create_task(self._decider.run())
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
                self._pods.hear(heard)
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
        try:
            draft.settle(uid)
        except Exception:  # noqa: BLE001 - whoever decides it finds out, says so, and goes on
            return False
        return not len(draft)

    async def _settle(self, delivery: Delivery[ClaimObserved]) -> None:
        heard = delivery.heard
        uid = ClaimUID(heard.key[0])
        await self._view.reach(CLAIMS, heard.key, heard.sequence)
        if not self._is_settled(heard):  # as is a claim that came over the bus with its answer
            with telemetry.span(
                "settle claim", kind=telemetry.Kind.CONSUMER, parent=heard.headers, claim_uid=uid
            ):
                try:
                    await self._decider.do([uid], _settling(uid))
                except BusUnavailable:
                    return  # not ended: handed out again, to whoever is connected
                except Exception as error:  # noqa: BLE001 - a claim that cannot be decided must not stop others
                    _log.error("claim cannot be settled", claim_uid=uid, reason=repr(error))
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
                if await self._settle_all(waiting[start : start + _AT_ONCE]):
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
            if lost := await self._settle_all(uids):
                self._view.doubtful |= dict.fromkeys(lost)
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _settle_all(self, uids: Sequence[ClaimUID]) -> tuple[ClaimUID, ...]:
        """Returns those that could not be, because the bus is away."""
        settling = [self._settle_again(uid) for uid in uids]
        done = await asyncio.gather(*settling, return_exceptions=True)
        return tuple(uid for uid, each in zip(uids, done, strict=True) if isinstance(each, BusUnavailable))

    async def _settle_again(self, uid: ClaimUID) -> None:
        """What it is given after a wait belongs to the trace of its refusal."""
        refused = {"traceparent": self._view.waiting.get(uid, "")}
        with telemetry.carried(telemetry.bearing(refused, pod_uid=self._pods.of(uid))):
            await self._decider.do([uid], _settling(uid))

    async def _allocate(self, request: AllocateRequest) -> AllocateReply | Declined:
        def act(draft: Draft) -> AllocateReply | Declined:
            refusal = admission.refuse_claims(request.claims, draft.claim_of, draft.was_released)
            return refusal or AllocateReply(answers=draft.admit(request.claims))

        reply: AllocateReply | Declined = await self._decider.do([claim.uid for claim in request.claims], act)
        return reply

    async def _release(self, request: ReleaseRequest) -> ReleaseReply | Declined:
        uid = admission.find(request.claim, self._view)
        if isinstance(uid, Declined):
            return uid
        claim = self._view.claims[uid].claim
        if claim.metadata.creation_timestamp:
            return Declined(409, f"claim {claim.label} belongs to Kubernetes: delete it there")
        await self._decider.do([uid], lambda draft: draft.forget(uid))
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


async def _end(delivery: Delivery[ClaimObserved]) -> None:
    with suppress(BusUnavailable):  # handed out again, and then there is nothing left to do
        await delivery.ack()


def _settling(uid: ClaimUID) -> Callable[[Draft], None]:
    return lambda draft: draft.settle(uid)
