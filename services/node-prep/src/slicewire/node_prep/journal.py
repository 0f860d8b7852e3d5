"""The checkpoint, in memory and on disk. What is in memory counts at once; `record` and `flush` return
when it is on disk too.

Many claims may be recorded at the same time: one write keeps them all.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from slicewire.common.logs import Log
from slicewire.common.model import ClaimUID
from slicewire.node_prep import files
from slicewire.node_prep.core import record
from slicewire.node_prep.core.checkpoint import Checkpoint
from slicewire.node_prep.core.record import Corrupt

_READABLE_BY_US_ALONE = 0o600
_log = Log("node-prep")


class Journal:
    """`boot` names this boot of the machine; empty where it does not say."""

    def __init__(self, path: Path, boot: str = "") -> None:
        self.checkpoint = Checkpoint(boot=boot)
        self._path = path
        self._boot = boot
        self._writing = asyncio.Lock()
        self._version = 0
        self._version_on_disk = 0
        self._on_disk = Checkpoint()

    @property
    def has_news(self) -> bool:
        """Something in memory is not on disk."""
        return self._version_on_disk < self._version

    async def recall(self) -> None:
        """Take over from the process before this one. Raises `DiskFault`."""
        recalled = await asyncio.to_thread(_recalled, self._path)
        self.checkpoint = recalled.on_boot(self._boot)
        self._on_disk = recalled
        self._version += self.checkpoint != recalled

    def note(self, successor: Checkpoint) -> None:
        """On disk with the next write. Killed before, we find out anew what was noted."""
        self.checkpoint = successor
        self._version += 1

    async def record(self, uid: ClaimUID, successor: Checkpoint) -> None:
        """`successor` differs from the checkpoint in this claim only. Raises `DiskFault`: then the
        claim is as it was last kept."""
        self.note(successor)
        try:
            await self.flush()
        except files.DiskFault:
            self.note(self.checkpoint.with_claim_as_in(self._on_disk, uid))
            raise

    async def flush(self) -> None:
        """Everything noted until now is kept. Raises `DiskFault`: then it is still noted."""
        wanted = self._version
        async with self._writing:
            if self._version_on_disk < wanted:
                await self._write()

    async def _write(self) -> None:
        version, written = self._version, self.checkpoint
        data = record.encode(written)
        await asyncio.to_thread(files.write, self._path, data, _READABLE_BY_US_ALONE)
        self._version_on_disk, self._on_disk = version, written


def _recalled(path: Path) -> Checkpoint:
    """What cannot be read is set aside, said, and made again from the ledger: it is never a reason not
    to start."""
    files.sweep(path.parent)
    data = files.read(path)
    if data is None:
        return Checkpoint()
    found = record.decode(data)
    if isinstance(found, Corrupt):
        aside = files.set_aside(path)
        _log.error("checkpoint cannot be read: set aside", path=path, aside=aside, reason=found.reason)
        return Checkpoint()
    for uid, reason in found.unreadable.items():
        _log.error("checkpoint entry cannot be read", path=path, claim_uid=uid, reason=reason)
    return found.checkpoint
