"""Carry out a plan: reserve, act, check off; undone when a step fails, resumable when we are killed.

Every step is safe to do twice. Whoever calls holds the claim and its devices.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from slicewire.common import telemetry
from slicewire.common.model import ClaimUID, TraceParent
from slicewire.node_prep import files
from slicewire.node_prep.core import cdi
from slicewire.node_prep.core.checkpoint import Asker, Checkpoint, Entry
from slicewire.node_prep.core.driver import DriverAbsent
from slicewire.node_prep.core.lifecycle import State
from slicewire.node_prep.core.plan import PreparePlan
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from slicewire.node_prep.driverroot import DriverRoot
from slicewire.node_prep.journal import Journal

_READABLE_BY_ALL = 0o644
"""Container runtimes need not run as we do."""


class Preparation:
    def __init__(self, journal: Journal, driver: DriverRoot, cdi_root: Path) -> None:
        self._journal = journal
        self._driver = driver
        self._cdi_root = cdi_root

    @property
    def checkpoint(self) -> Checkpoint:
        return self._journal.checkpoint

    async def prepare(self, plan: PreparePlan, asked_by: Asker, trace: TraceParent) -> PrepareRefusal | None:
        """Raises `DiskFault`. The devices are reserved before anything is waited for."""
        uid = plan.claim.uid
        async with AsyncExitStack() as undo:
            await self._record(uid, self.checkpoint.with_reserved(plan, asked_by, trace))
            undo.push_async_callback(self.remove, uid)
            refusal = await self._write_spec(plan)
            if refusal is not None:
                return refusal
            await self._record(uid, self.checkpoint.with_prepared(uid))
            undo.pop_all()
        return None

    async def restore(self, entry: Entry) -> PrepareRefusal | None:
        """What a reboot took is made again; what is there is left alone. Raises `DiskFault`."""
        return await self._write_spec(entry.plan)

    async def hand_to(self, asked_by: Asker, uid: ClaimUID) -> None:
        """Somebody else says from now on when it is over. Raises `DiskFault`."""
        await self._record(uid, self.checkpoint.with_asker(uid, asked_by))

    async def remove(self, uid: ClaimUID) -> None:
        """Nothing of the claim is left, the entry last: until then it can be asked for again.
        Raises `DiskFault`."""
        await self.delete_spec(uid)
        await self._record(uid, self.checkpoint.without(uid))

    async def resume(self) -> None:
        """Take over from the process before this one; what it left half done is removed. Raises
        `DiskFault`."""
        await self._journal.recall()
        await asyncio.to_thread(files.make, self._cdi_root)
        await asyncio.to_thread(files.sweep, self._cdi_root)
        for entry in self.checkpoint.in_state(State.STARTED):
            await self.remove(entry.plan.claim.uid)

    async def strays(self) -> frozenset[ClaimUID]:
        """Claims with a CDI file of ours and no entry: their checkpoint was lost. Raises `DiskFault`."""
        found = map(cdi.claim_of, await asyncio.to_thread(files.names, self._cdi_root))
        return frozenset(uid for uid in found if uid is not None and self.checkpoint.entry(uid) is None)

    async def delete_spec(self, uid: ClaimUID) -> None:
        """Raises `DiskFault`."""
        await asyncio.to_thread(files.delete, self._cdi_root / cdi.file_name(uid))

    async def _write_spec(self, plan: PreparePlan) -> PrepareRefusal | None:
        with telemetry.span("write CDI spec", devices=plan.device_names) as span:
            driver = await asyncio.to_thread(self._driver.look)
            if isinstance(driver, DriverAbsent):
                span.failed(driver.reason)
                return PrepareRefusal(Why.DRIVER, f"the NVIDIA driver is not usable: {driver.reason}")
            spec = cdi.spec(plan, driver)
            if isinstance(spec, PrepareRefusal):
                span.failed(spec.reason)
                return spec
            path = self._cdi_root / cdi.file_name(plan.claim.uid)
            await asyncio.to_thread(files.write_if_changed, path, cdi.encode(spec), _READABLE_BY_ALL)
            return None

    async def _record(self, uid: ClaimUID, successor: Checkpoint) -> None:
        with telemetry.span("checkpoint", claim_uid=uid):
            await self._journal.record(uid, successor)
