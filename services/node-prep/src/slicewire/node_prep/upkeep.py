"""Keep the node and the bus in step, for as long as we run and whatever comes and goes.

What was released is unprepared, what is left of claims that are no more is removed (leftovers.py), what
is true is told. Everything is compared, nothing remembered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from slicewire.common.bus.port import Bus, BusUnavailable
from slicewire.common.logs import Log
from slicewire.common.settings import BadSettings
from slicewire.node_prep import metrics, telling
from slicewire.node_prep.core.entry import Asker
from slicewire.node_prep.core.lifecycle import State
from slicewire.node_prep.files import DiskFault
from slicewire.node_prep.hearing import Hearing
from slicewire.node_prep.lastinventory import LastInventory
from slicewire.node_prep.leftovers import Leftovers
from slicewire.node_prep.preparation import Preparation
from slicewire.node_prep.requests import endpoints
from slicewire.node_prep.service import NodePrep
from slicewire.node_prep.supervising import Supervision

_RETRY_SECONDS = 1.0
_LONGEST_RETRY_SECONDS = 60.0
_SWEEP_SECONDS = 180.0
_log = Log("node-prep")


class Upkeep:
    """`heir` says when it is over for claims whose checkpoint was lost. `inventory` is for nodes whose claims
    can be asked for elsewhere while the bus is away."""

    def __init__(
        self,
        node_prep: NodePrep,
        hearing: Hearing,
        preparation: Preparation,
        heir: Asker,
        inventory: LastInventory | None = None,
    ) -> None:
        self._inventory = inventory
        self._node_prep = node_prep
        self._hearing = hearing
        self._preparation = preparation
        self._leftovers = Leftovers(node_prep, hearing, preparation, heir)
        self._supervision = Supervision(node_prep, hearing, preparation)
        self._is_open = False

    def is_ready(self) -> bool:
        return self._is_open and self._hearing.caught_up

    async def run(
        self,
        connect: Callable[[], AbstractAsyncContextManager[Bus]],
        kubelet: AbstractAsyncContextManager[None],
    ) -> None:
        """The kubelet is let in before the bus is there: what is prepared can be answered without it."""
        async with (
            self._node_prep.working(),
            metrics.shown(self._hearing.node, self._preparation),
            asyncio.TaskGroup() as tasks,
        ):
            await self.resume()
            if self._inventory is not None:
                await self._inventory.recall()
                tasks.create_task(self._inventory.keep())
            async with kubelet:
                self._is_open = True
                tasks.create_task(self.in_step())
                tasks.create_task(self._supervision.run())
                await self.on_the_bus(connect)

    async def resume(self) -> None:
        """Undo what was half done, and make again what a reboot took. Raises `BadSettings` for a disk
        that cannot be worked with."""
        try:
            await self._resume()
        except DiskFault as fault:
            raise BadSettings(f"node-prep cannot keep its state: {fault}") from fault

    async def _resume(self) -> None:
        await self._preparation.resume()
        for entry in self._preparation.checkpoint.in_state(State.COMPLETED):
            if entry.has_processes:  # which may take seconds to start: looked after while others are served
                continue
            refusal = await self._preparation.restore(entry.plan.claim.uid)
            if refusal is not None:  # the driver may come later; so does the kubelet's next question
                _log.warning("claim not restored", claim=entry.plan.claim, reason=refusal.reason)
        await self._preparation.end_orphans()

    async def on_the_bus(self, connect: Callable[[], AbstractAsyncContextManager[Bus]]) -> None:
        """Hear, answer and tell, on one connection after the other."""
        while True:
            try:
                async with connect() as bus, asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._hearing.follow(bus))
                    tasks.create_task(self._tell(bus))
                    tasks.create_task(self._answer(bus))
            except* BusUnavailable as lost:
                _log.warning("bus lost, starting over", reason=str(lost.exceptions[0]))

    async def in_step(self) -> None:
        """Do what each change asks for, and look for leftovers every few minutes; what could not be done
        is tried again without a change, less and less often."""
        seen, retry, pause = 0, _RETRY_SECONDS, _RETRY_SECONDS
        while True:
            seen = await self._hearing.next_changes(seen, pause)
            done = await self._leftovers.removed()
            retry = _RETRY_SECONDS if done else min(2 * retry, _LONGEST_RETRY_SECONDS)
            pause = _SWEEP_SECONDS if done else retry

    async def _tell(self, bus: Bus) -> None:
        seen, all_told = -1, True
        while True:
            seen = await self._hearing.next_changes(seen, None if all_told else _RETRY_SECONDS)
            all_told = not self._hearing.caught_up or await self._all_told(bus)

    async def _all_told(self, bus: Bus) -> bool:
        wanted = telling.truths(
            self._hearing.node.name, self._preparation.checkpoint, self._node_prep.refused
        )
        try:
            for truth in tuple(telling.untold(wanted, self._hearing.told)):
                await telling.tell(bus, self._hearing, truth)
        except BusUnavailable as away:
            _log.debug("telling later", reason=str(away))
            return False
        return True

    async def _answer(self, bus: Bus) -> None:
        node = self._hearing.node.name
        async with bus.serve(endpoints(self._node_prep, node), node, name="node-prep"):
            await asyncio.Event().wait()
