"""The checkpoint, in memory and on disk. What is in memory counts at once; `record` returns when it
is on disk too.

Many claims may be recorded at the same time: one write keeps them all.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from slicewire.common.logs import Log
from slicewire.common.model import ClaimUID
from slicewire.node_prep import files
from slicewire.node_prep.core import checkpoint as checkpoints
from slicewire.node_prep.core.checkpoint import Checkpoint, Corrupt

_READABLE_BY_US_ALONE = 0o600
_log = Log("node-prep")


class Journal:
    def __init__(self, path: Path) -> None:
        self.checkpoint = Checkpoint()
        self._path = path
        self._writing = asyncio.Lock()
        self._version = 0
        self._version_on_disk = 0

    async def recall(self) -> None:
        """Take over from the process before this one. Raises `DiskFault`."""
        self.checkpoint = await asyncio.to_thread(_recalled, self._path)

    async def record(self, uid: ClaimUID, successor: Checkpoint) -> None:
        """`successor` differs from the checkpoint in this claim only. Raises `DiskFault`: then the
        claim is as it was."""
        earlier, self.checkpoint = self.checkpoint, successor
        self._version += 1
        wanted = self._version
        try:
            async with self._writing:
                if self._version_on_disk < wanted:
                    await self._write()
        except files.DiskFault:
            self.checkpoint = self.checkpoint.with_claim_as_in(earlier, uid)
            self._version += 1
            raise

    async def _write(self) -> None:
        version, data = self._version, checkpoints.encode(self.checkpoint)
        await asyncio.to_thread(files.write, self._path, data, _READABLE_BY_US_ALONE)
        self._version_on_disk = version


def _recalled(path: Path) -> Checkpoint:
    """What cannot be read is set aside, said, and made again from the ledger: it is never a reason not
    to start."""
    files.sweep(path.parent)
    data = files.read(path)
    if data is None:
        return Checkpoint()
    found = checkpoints.decode(data)
    if isinstance(found, Corrupt):
        aside = files.set_aside(path)
        _log.error("checkpoint cannot be read: set aside", path=path, aside=aside, reason=found.reason)
        return Checkpoint()
    for uid, reason in found.unreadable.items():
        _log.error("checkpoint entry cannot be read", path=path, claim_uid=uid, reason=reason)
    return found.checkpoint
