"""node-prep: the kubelet or the bus asks for a claim; its devices are made usable, once, whoever asks.

It decides nothing about who gets what (the ledger says) and nothing about how (core/plan.py says).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, closing
from typing import Any, TypeVar

from slicewire.common import telemetry
from slicewire.common.logs import Log
from slicewire.common.messages import PreparedDevice
from slicewire.common.model import ClaimUID
from slicewire.common.settings import BadSettings
from slicewire.node_prep import metrics
from slicewire.node_prep.allocations import Allocations
from slicewire.node_prep.asked import Asked, preparing, trace_of
from slicewire.node_prep.core import leftovers
from slicewire.node_prep.core.entry import Asker, Entry
from slicewire.node_prep.core.holding import Holders
from slicewire.node_prep.core.lifecycle import State
from slicewire.node_prep.core.node import Allocation, Claim, Node
from slicewire.node_prep.core.plan import PreparePlan, described_too, gpus_of, plan, wrong_claim
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from slicewire.node_prep.files import DiskFault
from slicewire.node_prep.hearing import Hearing
from slicewire.node_prep.locks import Locks
from slicewire.node_prep.preparation import Preparation
from slicewire.node_prep.telling import Refused, prepared_devices
from slicewire.node_prep.turns import Turns

T = TypeVar("T")
Headers = Mapping[str, str]
_log = Log("node-prep")


class NodePrep:
    """`prepare` and `unprepare` may be asked at any time, in any number, by anybody, and again. `describes`:
    containers can read what their devices are."""

    def __init__(
        self,
        hearing: Hearing,
        preparation: Preparation,
        turns: Turns,
        allocations: Allocations,
        *,
        describes: bool = False,
    ) -> None:
        self.refused: dict[ClaimUID, Refused] = {}
        self._hearing = hearing
        self._preparation = preparation
        self._turns = turns
        self._allocations = allocations
        self._describes = describes
        self._locks = Locks()
        self._first_turn: AsyncExitStack
        self._work: asyncio.TaskGroup

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """It begins with a turn of ours, for putting right what was left half done. Raises `BadSettings`
        where no turn can be had."""
        with closing(self._turns):
            try:
                self._turns.open()
            except DiskFault as fault:
                raise BadSettings(f"node-prep cannot keep its state: {fault}") from fault
            async with AsyncExitStack() as self._first_turn, asyncio.TaskGroup() as self._work:
                await self._first_turn.enter_async_context(self._turns.taken(_nothing))
                yield

    @asynccontextmanager
    async def answering(self, doors: AbstractAsyncContextManager[None]) -> AsyncIterator[None]:
        """Questions may come from now on: the first turn is over once the doors are open."""
        async with doors:
            await self._first_turn.aclose()
            yield

    async def prepare(
        self, claim: Claim, asked_by: Asker, context: Headers
    ) -> tuple[PreparedDevice, ...] | PrepareRefusal:
        """`context` is the trace context of the question; the answer belongs to the claim's own trace."""
        if refusal := wrong_claim(claim):
            return refusal
        done = await self._finished(self._prepare(claim, Asked(asked_by, context)), claim, "prepare")
        if isinstance(done, PrepareRefusal):
            _log.warning("claim not prepared", claim=claim, why=done.why, reason=done.reason)
            return done
        return prepared_devices(done)

    async def unprepare(self, claim: Claim, asked_by: Asker, context: Headers) -> PrepareRefusal | None:
        """A claim that is not known here is unprepared already."""
        refusal = await self._finished(self._unprepare(claim, asked_by, context), claim, "unprepare")
        if refusal is not None:
            _log.warning("claim not unprepared", claim=claim, why=refusal.why, reason=refusal.reason)
        return refusal

    async def finish(self, claim: Claim) -> PrepareRefusal | None:
        """What could not be undone is undone, if it can be now."""
        return await self._finished(self._finish(claim), claim)

    async def sweep_up(self, claim: Claim, allocation: Allocation) -> PrepareRefusal | None:
        """Remove what is left of a claim that is over: `allocation` is what is known of it."""
        return await self._finished(self._sweep_up(claim, allocation), claim)

    async def forget_refused(self, is_over: Callable[[ClaimUID], bool]) -> None:
        """What kept a claim from its devices is no news once it has none."""
        over = [uid for uid in self.refused if is_over(uid)]
        for uid in over:
            del self.refused[uid]
        if over:
            await self._hearing.changed()

    async def _finished(self, work: Coroutine[Any, Any, T], claim: Claim, to: str = "") -> T | PrepareRefusal:
        """Worked to the end even when whoever asked has gone: they ask again and find it done."""
        task = self._work.create_task(_one_item(work, claim))
        with self._hearing.asked():
            return await metrics.answered(self._hearing.node.driver, to, asyncio.shield(task))

    async def _prepare(self, claim: Claim, asked: Asked) -> Entry | PrepareRefusal:
        async with self._locks.holding(f"claim {claim.uid}"):
            await self._look_up()
            is_prepared = self._preparation.checkpoint.completed(claim.uid) is not None
            allocation = await self._allocations.of(claim, is_prepared=is_prepared)
            if isinstance(allocation, PrepareRefusal):
                return allocation
            async with self._turn():
                return await self._traced(claim, allocation, asked)

    async def _traced(
        self, claim: Claim, allocation: Allocation | None, asked: Asked
    ) -> Entry | PrepareRefusal:
        entry = self._preparation.checkpoint.completed(claim.uid)
        trace = trace_of(allocation, entry)
        pods = allocation.pod_uids if allocation is not None else ()
        with preparing(claim, asked, trace, self._hearing.node.name, pods) as span:
            done = await _or_refused(self._settled(allocation, entry, asked.by))
            if isinstance(done, PrepareRefusal):
                span.failed(done.reason)
                self.refused[claim.uid] = Refused(claim, done.reason, telemetry.traceparent() or trace)
            else:
                span.tell(devices=done.plan.device_names)
                self.refused.pop(claim.uid, None)
        await self._hearing.changed()
        return done

    def _turn(self) -> AbstractAsyncContextManager[None]:
        return self._turns.taken(self._take_over)

    async def _look_up(self) -> None:
        """What another instance has done since we looked last is known after this."""
        if not self._turns.was_last_ours():
            async with self._turn():
                pass

    async def _take_over(self) -> None:
        """Nobody is at work while a turn begins: what is half done was left by one who died."""
        await self._preparation.resume()
        await self._hearing.changed()

    async def _settled(
        self, allocation: Allocation | None, entry: Entry | None, asked_by: Asker
    ) -> Entry | PrepareRefusal:
        driver = self._hearing.node.driver
        if entry is not None and (allocation is None or entry.plan.is_for(allocation, driver)):
            return await self._again(entry, asked_by)
        if allocation is None:
            return PrepareRefusal(Why.BUSY, "the claim was unprepared while it was asked for: ask again")
        left = self._preparation.checkpoint.entry(allocation.claim.uid)
        if left is not None:  # other devices than it has now, or a failure that could not be undone
            refusal = await self._remove(left)
            if refusal is not None:
                return _still_there(refusal)
        return await self._anew(allocation, asked_by)

    async def _again(self, entry: Entry, asked_by: Asker) -> Entry | PrepareRefusal:
        async with self._gpus_of(entry):
            refusal = await self._preparation.restore(entry.plan.claim.uid)
        if refusal is not None:
            return refusal
        if asked_by is Asker.KUBELET and entry.asked_by is not asked_by:
            await self._preparation.hand_to(asked_by, entry.plan.claim.uid)
        return entry

    async def _anew(self, allocation: Allocation, asked_by: Asker) -> Entry | PrepareRefusal:
        uid = allocation.claim.uid
        async with self._locks.holding(*gpus_of(allocation, self._hearing.node)):
            # Between the look at who holds what and the reservation, nothing is waited for.
            node = self._hearing.node
            made = self._plan(allocation, node, self._holders(uid, node))
            if isinstance(made, PrepareRefusal):
                return made
            trace = telemetry.traceparent() or allocation.trace
            refusal = await self._preparation.prepare(made, asked_by, trace)
            if refusal is not None:
                return refusal
        _log.info("claim prepared", claim=allocation.claim, devices=made.device_names, asked_by=asked_by)
        return self._preparation.checkpoint.entries[uid]

    def _holders(self, but: ClaimUID, node: Node) -> Holders:
        """One that has lost its checkpoint is in the way before it has its entry again."""
        strays = self._preparation.strays
        return (
            *self._preparation.checkpoint.holders(but=but),
            *(leftovers.holders(strays, node) if but not in strays else ()),
        )

    def _plan(self, allocation: Allocation, node: Node, holders: Holders) -> PreparePlan | PrepareRefusal:
        made = plan(allocation, node, holders)
        if isinstance(made, PrepareRefusal) or not self._describes:
            return made
        return described_too(made, allocation, node)

    async def _unprepare(self, claim: Claim, asked_by: Asker, context: Headers) -> PrepareRefusal | None:
        async with self._locks.holding(f"claim {claim.uid}"), self._turn():
            self.refused.pop(claim.uid, None)
            entry = self._preparation.checkpoint.entry(claim.uid)
            if entry is None:
                self._preparation.disinherit(claim.uid)
                await self._hearing.changed()
                return None
            if entry.asked_by is Asker.KUBELET and asked_by is not Asker.KUBELET:
                return PrepareRefusal(
                    Why.IN_USE,
                    f"claim {claim} is the kubelet's, which unprepares it when its pods have ended",
                )
            with telemetry.span(
                "unprepare claim",
                kind=telemetry.Kind.CONSUMER,
                parent={"traceparent": entry.trace} if entry.trace else context,
                links=(context,),
                claim_uid=claim.uid,
                node=self._hearing.node.name,
            ):
                refusal = await self._remove(entry)
            await self._hearing.changed()
            if refusal is not None:
                return refusal
            _log.info("claim unprepared", claim=entry.plan.claim, devices=entry.plan.device_names)
            return None

    async def _finish(self, claim: Claim) -> PrepareRefusal | None:
        async with self._locks.holding(f"claim {claim.uid}"), self._turn():
            entry = self._preparation.checkpoint.entry(claim.uid)
            if entry is None or entry.state is not State.UNDOING:
                return None
            return await self._remove(entry)

    async def _sweep_up(self, claim: Claim, allocation: Allocation) -> PrepareRefusal | None:
        gpus = gpus_of(allocation, self._hearing.node)
        async with (
            self._locks.holding(f"claim {claim.uid}"),
            self._turn(),
            self._locks.holding(*gpus),
        ):
            if self._preparation.checkpoint.entry(claim.uid) is not None:
                return None
            holders = self._preparation.checkpoint.holders(but=claim.uid)
            made = self._plan(allocation, self._hearing.node, holders)
            if isinstance(made, PrepareRefusal):
                return made
            return await self._preparation.sweep_up(made, Asker.BUS)

    async def _remove(self, entry: Entry) -> PrepareRefusal | None:
        async with self._gpus_of(entry):
            return await self._preparation.remove(entry.plan.claim.uid)

    def _gpus_of(self, entry: Entry) -> AbstractAsyncContextManager[None]:
        """Nobody else works with these GPUs meanwhile."""
        return self._locks.holding(*entry.plan.gpus)


async def _nothing() -> None:
    """The state is read when work begins."""


async def _or_refused(work: Coroutine[Any, Any, T]) -> T | PrepareRefusal:
    try:
        return await work
    except DiskFault as fault:
        return PrepareRefusal(Why.DISK, str(fault))


async def _one_item(work: Coroutine[Any, Any, T], claim: Claim) -> T | PrepareRefusal:
    try:
        return await _or_refused(work)
    except Exception as error:  # noqa: BLE001 - the top of one work item: said, and the rest goes on
        _log.crashed("claim failed", claim=claim)
        return PrepareRefusal(Why.BUG, f"{type(error).__name__}: {error}")


def _still_there(refusal: PrepareRefusal) -> PrepareRefusal:
    return PrepareRefusal(refusal.why, f"what was prepared before is not undone yet: {refusal.reason}")
