"""node-prep: the kubelet or the bus asks for a claim; its devices are made usable, once, whoever asks.

It decides nothing about who gets what (the ledger says) and nothing about how (core/plan.py says).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar

from slicewire.common import telemetry
from slicewire.common.logs import Log
from slicewire.common.messages import PreparedDevice
from slicewire.common.model import ClaimUID, TraceParent
from slicewire.node_prep.core.entry import Asker, Entry
from slicewire.node_prep.core.node import Allocation, Claim
from slicewire.node_prep.core.plan import gpu_of, plan, wrong_claim
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from slicewire.node_prep.files import DiskFault
from slicewire.node_prep.hearing import Hearing
from slicewire.node_prep.locks import Locks
from slicewire.node_prep.preparation import Preparation
from slicewire.node_prep.telling import Refused, prepared_devices

T = TypeVar("T")
Headers = Mapping[str, str]
_log = Log("node-prep")


class NodePrep:
    """`prepare` and `unprepare` may be asked at any time, in any number, by anybody, and again."""

    def __init__(self, hearing: Hearing, preparation: Preparation, ledger_wait_seconds: float) -> None:
        self.refused: dict[ClaimUID, Refused] = {}
        self._hearing = hearing
        self._preparation = preparation
        self._ledger_wait_seconds = ledger_wait_seconds
        self._locks = Locks()
        self._work: asyncio.TaskGroup

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Questions are answered while this is open."""
        async with asyncio.TaskGroup() as self._work:
            yield

    async def prepare(
        self, claim: Claim, asked_by: Asker, context: Headers
    ) -> tuple[PreparedDevice, ...] | PrepareRefusal:
        """`context` is the trace context of the question; the answer belongs to the claim's own trace."""
        if refusal := wrong_claim(claim):
            return refusal
        done = await self._finished(self._prepare(claim, asked_by, context), claim)
        if isinstance(done, PrepareRefusal):
            _log.warning("claim not prepared", claim=claim, why=done.why, reason=done.reason)
            return done
        return prepared_devices(done)

    async def unprepare(self, claim: Claim, asked_by: Asker, context: Headers) -> PrepareRefusal | None:
        """A claim that is not known here is unprepared already."""
        refusal = await self._finished(self._unprepare(claim, asked_by, context), claim)
        if refusal is not None:
            _log.warning("claim not unprepared", claim=claim, why=refusal.why, reason=refusal.reason)
        return refusal

    async def forget_refused(self, is_over: Callable[[ClaimUID], bool]) -> None:
        """What kept a claim from its devices is no news once it has none."""
        over = [uid for uid in self.refused if is_over(uid)]
        for uid in over:
            del self.refused[uid]
        if over:
            await self._hearing.changed()

    async def _finished(self, work: Coroutine[Any, Any, T], claim: Claim) -> T | PrepareRefusal:
        """Worked to the end even when whoever asked has gone: they ask again and find it done."""
        return await asyncio.shield(self._work.create_task(_one_item(work, claim)))

    async def _prepare(self, claim: Claim, asked_by: Asker, context: Headers) -> Entry | PrepareRefusal:
        async with self._locks.holding(f"claim {claim.uid}"):
            entry = self._preparation.checkpoint.completed(claim.uid)
            allocation = self._hearing.node.allocation(claim.uid)
            if allocation is None and entry is None:
                found = await self._allocation(claim)
                if isinstance(found, PrepareRefusal):
                    return found
                allocation = found
            trace = _trace(allocation, entry)
            with telemetry.span(
                "prepare claim",
                kind=telemetry.Kind.CONSUMER,
                parent={"traceparent": trace} if trace else context,
                links=(context,),
                claim_uid=claim.uid,
                claim=f"{claim.namespace}/{claim.name}",
                node=self._hearing.node.name,
            ) as span:
                done = await _or_refused(self._settled(allocation, entry, asked_by))
                if isinstance(done, PrepareRefusal):
                    span.failed(done.reason)
                    self.refused[claim.uid] = Refused(claim, done.reason, telemetry.traceparent() or trace)
                else:
                    span.tell(devices=done.plan.device_names)
                    self.refused.pop(claim.uid, None)
            await self._hearing.changed()
            return done

    async def _allocation(self, claim: Claim) -> Allocation | PrepareRefusal:
        """The kubelet may be faster than the bus: wait a moment for what the claim was given."""
        hearing = self._hearing
        await hearing.wait_for(lambda node: node.allocation(claim.uid) is not None, self._ledger_wait_seconds)
        allocation = hearing.node.allocation(claim.uid)
        if allocation is not None:
            return allocation
        if other := hearing.node.named_like(claim):
            return PrepareRefusal(
                Why.REPLACED_CLAIM,
                f"claim {claim.namespace}/{claim.name} was replaced:"
                f" in the ledger of node {hearing.node.name} its UID is {other.claim.uid}, not {claim.uid}",
            )
        late = "" if hearing.caught_up else "; the bus has not been heard to the end yet"
        return PrepareRefusal(
            Why.UNKNOWN_CLAIM,
            f"no allocation for claim {claim} in the ledger of node {hearing.node.name}{late}",
        )

    async def _settled(
        self, allocation: Allocation | None, entry: Entry | None, asked_by: Asker
    ) -> Entry | PrepareRefusal:
        driver = self._hearing.node.driver
        if entry is not None and (allocation is None or entry.plan.is_for(allocation, driver)):
            return await self._again(entry, asked_by)
        assert allocation is not None, "a claim without an entry was found in the ledger"
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
        async with self._locks.holding(*(gpu_of(result.device) for result in allocation.results)):
            # Between the look at who holds what and the reservation, nothing is waited for.
            node, holders = self._hearing.node, self._preparation.checkpoint.holders(but=uid)
            made = plan(allocation, node, holders)
            if isinstance(made, PrepareRefusal):
                return made
            trace = telemetry.traceparent() or allocation.trace
            refusal = await self._preparation.prepare(made, asked_by, trace)
            if refusal is not None:
                return refusal
        _log.info("claim prepared", claim=allocation.claim, devices=made.device_names, asked_by=asked_by)
        return self._preparation.checkpoint.entries[uid]

    async def _unprepare(self, claim: Claim, asked_by: Asker, context: Headers) -> PrepareRefusal | None:
        async with self._locks.holding(f"claim {claim.uid}"):
            self.refused.pop(claim.uid, None)
            entry = self._preparation.checkpoint.entry(claim.uid)
            if entry is None:
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

    async def _remove(self, entry: Entry) -> PrepareRefusal | None:
        async with self._gpus_of(entry):
            return await self._preparation.remove(entry.plan.claim.uid)

    def _gpus_of(self, entry: Entry) -> AbstractAsyncContextManager[None]:
        """Nobody else works with these GPUs meanwhile."""
        return self._locks.holding(*map(gpu_of, entry.plan.device_names))


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


def _trace(allocation: Allocation | None, entry: Entry | None) -> TraceParent:
    if allocation is not None and allocation.trace:
        return allocation.trace
    return entry.trace if entry is not None else TraceParent("")
