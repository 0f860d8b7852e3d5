"""The inventory that was heard last, on disk: what devices the node has where the bus is away from the start.

A claim that Kubernetes is asked for names devices; what hardware each is, discovery says, on the bus. The
file is a memory and no truth: the bus, once heard, replaces it, and a step finds its hardware by UUID.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from slicewire.common.logs import Log
from slicewire.common.messages import PoolObserved
from slicewire.common.model import wire
from slicewire.node_prep import files
from slicewire.node_prep.files import DiskFault, Kept
from slicewire.node_prep.hearing import Hearing

INVENTORY_FILE = "inventory.json"
"""Below the folder of the state."""
_READABLE_BY_US_ALONE = 0o600
_log = Log("node-prep")


class LastInventory:
    def __init__(self, hearing: Hearing, path: Path) -> None:
        self._hearing = hearing
        self._path = path

    async def recall(self) -> None:
        """Unless it cannot be read, or is of another node: then the bus must be heard first."""
        try:
            data = await asyncio.to_thread(files.read, self._path)
            fact = None if data is None else wire.decode(data, PoolObserved)
        except (DiskFault, wire.Malformed) as fault:
            _log.warning("last inventory not read", path=self._path, reason=str(fault))
            return
        if fact is not None and await self._hearing.remember(fact):
            _log.info("devices as they were heard last", path=self._path, devices=len(fact.devices))

    async def keep(self) -> None:
        """Written whenever another one was heard, for as long as we run."""
        seen, kept = 0, self._hearing.pool
        while True:
            seen = await self._hearing.next_changes(seen)
            heard = self._hearing.pool
            if heard is not None and heard != kept and await self._kept(heard):
                kept = heard

    async def _kept(self, fact: PoolObserved) -> bool:
        """A disk that refuses it takes nothing from anybody now."""
        try:
            await asyncio.to_thread(
                files.write, self._path, wire.encode(fact), _READABLE_BY_US_ALONE, Kept.OLD_OR_NEW
            )
        except DiskFault as fault:
            _log.warning("last inventory not kept", path=self._path, reason=str(fault))
            return False
        return True
