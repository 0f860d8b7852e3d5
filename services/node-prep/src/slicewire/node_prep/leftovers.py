"""What claims have left behind that are no more: found by comparing the ledger, the journal and the CDI
files, on start and every few minutes, and removed.

Silence of the ledger is no release: nothing is compared with it before it has been heard.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable

from slicewire.common.logs import Log
from slicewire.common.model import ClaimUID
from slicewire.node_prep.core import leftovers
from slicewire.node_prep.core.entry import Asker, Entry
from slicewire.node_prep.core.lifecycle import State
from slicewire.node_prep.core.node import Claim, Node
from slicewire.node_prep.core.refusal import PrepareRefusal
from slicewire.node_prep.files import DiskFault
from slicewire.node_prep.hearing import Hearing
from slicewire.node_prep.preparation import Preparation
from slicewire.node_prep.service import NodePrep

ABANDONED_AFTER_SECONDS = 600.0
"""A claim that the kubelet asked for and the ledger does not have: the kubelet unprepares it, soon. What
it has forgotten itself would stay for ever, and keep others from the devices."""
_log = Log("node-prep")


class Leftovers:
    """`heir` says when it is over for claims whose checkpoint was lost."""

    def __init__(
        self,
        node_prep: NodePrep,
        hearing: Hearing,
        preparation: Preparation,
        heir: Asker,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._node_prep = node_prep
        self._hearing = hearing
        self._preparation = preparation
        self._heir = heir
        self._clock = clock
        self._released_at: dict[ClaimUID, float] = {}
        self._inherited_since: dict[ClaimUID, float] = {}

    async def removed(self) -> bool:
        """Whether all that should be gone is gone, and all that should be there is."""
        node = self._hearing.node
        done = [await self._all(self._node_prep.finish, self._preparation.unfinished())]
        done.append(await self._restored())
        if node.allocations is not None:
            await self._node_prep.forget_refused(node.has_released)
            done.append(await self._all(self._unprepared, self._over(node)))
            done.extend([await self._taken_up(uid, node) for uid in sorted(self._preparation.strays)])
        return all(done)

    def _over(self, node: Node) -> tuple[Entry, ...]:
        """Prepared claims that have been released. The kubelet's wait for the kubelet: their containers may
        still run; but not for ever."""
        now = self._clock()
        released = [
            entry
            for entry in self._preparation.checkpoint.in_state(State.COMPLETED)
            if node.has_released(entry.plan.claim.uid)
        ]
        since = {entry.plan.claim.uid: self._released_at.get(entry.plan.claim.uid, now) for entry in released}
        self._released_at = since
        return tuple(
            entry
            for entry in released
            if entry.asked_by is Asker.BUS or now - since[entry.plan.claim.uid] >= ABANDONED_AFTER_SECONDS
        )

    async def _unprepared(self, claim: Claim) -> PrepareRefusal | None:
        entry = self._preparation.checkpoint.entry(claim.uid)
        if entry is None:
            return None
        if entry.asked_by is Asker.KUBELET:
            _log.warning("claim abandoned by the kubelet: unpreparing it", claim=claim)
        return await self._node_prep.unprepare(claim, entry.asked_by, {})

    async def _restored(self) -> bool:
        """What a reboot took and could not be made again on start: the driver may have come since."""
        answers = [
            await self._node_prep.prepare(entry.plan.claim, entry.asked_by, {})
            for entry in self._preparation.lapsed()
        ]
        return not any(isinstance(answer, PrepareRefusal) for answer in answers)

    async def _taken_up(self, uid: ClaimUID, node: Node) -> bool:
        """A claim with a CDI file that the journal does not know."""
        allocation = node.allocation(uid)
        if allocation is not None and not self._preparation.is_over(uid):
            done = await self._node_prep.prepare(allocation.claim, self._heir, {})
            return not isinstance(done, PrepareRefusal)
        if self._preparation.is_inherited(uid) and not self._is_abandoned(uid):
            return True  # its containers may run, and the ledger may not have heard of it yet
        claim = Claim(uid=uid)
        try:
            devices = await self._preparation.stray_devices(uid)
            held = allocation or leftovers.allocation(claim, devices, node)
            refusal = None if held is None else await self._node_prep.sweep_up(claim, held)
            # A stray still: nothing but the file could be told to be ours.
            if refusal is None or uid in self._preparation.strays:
                await self._preparation.delete_spec(uid)
        except DiskFault as fault:
            _log.error("leftovers not removed", claim=claim, reason=str(fault))
            return False
        _log.info("leftovers of a claim removed", claim=claim, devices=devices)
        return refusal is None

    def _is_abandoned(self, uid: ClaimUID) -> bool:
        now = self._clock()
        return now - self._inherited_since.setdefault(uid, now) >= ABANDONED_AFTER_SECONDS

    async def _all(
        self, work: Callable[[Claim], Awaitable[PrepareRefusal | None]], entries: Iterable[Entry]
    ) -> bool:
        refusals = [await work(entry.plan.claim) for entry in entries]
        return all(refusal is None for refusal in refusals)
