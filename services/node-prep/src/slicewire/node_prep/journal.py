"""The checkpoint, in memory and on disk. What is in memory counts at once; `record` and `flush` return
when it is on disk too, and block: call them in a thread.

Many claims may be recorded at the same time: one write keeps them all. It is a line with what has changed;
what outlives us, and what also outlives the machine's power, is the caller's to say (ADR 13).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from slicewire.common.logs import Log
from slicewire.common.model import ClaimUID
from slicewire.node_prep import files
from slicewire.node_prep.core import predecessor, record
from slicewire.node_prep.core.checkpoint import Checkpoint
from slicewire.node_prep.core.record import Corrupt
from slicewire.node_prep.files import Kept
from slicewire.node_prep.growing import GrowingFile
from slicewire.node_prep.predecessor import ASIDE, Predecessor

Change = Callable[[Checkpoint], Checkpoint]
"""A checkpoint to its successor."""
CHECKPOINT_FILE = "checkpoint.json"
"""Below the folder of the state."""
_READABLE_BY_US_ALONE = 0o600
_log = Log("node-prep")


class Journal:
    """`boot` names this boot of the machine; empty where it does not say."""

    def __init__(self, path: Path, boot: str = "") -> None:
        self.checkpoint = Checkpoint(boot=boot)
        self._path = path
        self._file = GrowingFile(path, _READABLE_BY_US_ALONE)
        self._boot = boot
        self._changing = threading.Lock()
        self._writing = threading.Lock()
        self._version = 0
        self._kept = {Kept.OLD_OR_NEW: 0, Kept.THROUGH_A_POWER_CUT: 0}
        """The latest version that is kept so well."""
        self._on_disk = Checkpoint()

    def predecessor(self, cdi_root: Path) -> Predecessor:
        """Whoever prepared claims here before us, and kept its checkpoint in the same place."""
        return Predecessor(self._path, cdi_root, self._boot)

    @property
    def has_news(self) -> bool:
        """Something in memory is not on disk."""
        return self._kept[Kept.OLD_OR_NEW] < self._version

    def recall(self) -> None:
        """Take over from the process before this one. Raises `DiskFault`."""
        with self._writing:
            self._file.let_go()
            recalled = _recalled(self._path)
        with self._changing:
            self.checkpoint = recalled.on_boot(self._boot)
            self._on_disk = recalled
            self._version += self.checkpoint != recalled

    def note(self, change: Change) -> None:
        """On disk with the next write. Killed before, we find out anew what was noted."""
        with self._changing:
            self.checkpoint = change(self.checkpoint)
            self._version += 1

    def record(self, uid: ClaimUID, change: Change, kept: Kept = Kept.THROUGH_A_POWER_CUT) -> None:
        """The change is of this claim only. Raises `DiskFault`: then the claim is as it was last kept."""
        self.note(change)
        try:
            self.flush(kept)
        except files.DiskFault:
            self.note(lambda now: now.with_claim_as_in(self._on_disk, uid))
            raise

    def flush(self, kept: Kept = Kept.THROUGH_A_POWER_CUT) -> None:
        """Everything noted until now is kept so well. Raises `DiskFault`: then it is still noted."""
        wanted = self._version
        with self._writing:
            if self._kept[kept] < wanted:
                self._write(kept)

    def _write(self, kept: Kept) -> None:
        with self._changing:
            version, written = self._version, self.checkpoint
        if self._file.may_grow():
            self._add(written, kept)
        else:
            self._file.replace(record.encode(written))
            kept = Kept.THROUGH_A_POWER_CUT
        self._on_disk = written
        self._kept[Kept.OLD_OR_NEW] = version
        if kept is Kept.THROUGH_A_POWER_CUT:
            self._kept[kept] = version

    def _add(self, written: Checkpoint, kept: Kept) -> None:
        """A line where there is news; what was added before it lasts as long."""
        if line := record.encode_changes(self._on_disk, written):
            self._file.add(line)
        if kept is Kept.THROUGH_A_POWER_CUT:
            self._file.keep()


def _recalled(path: Path) -> Checkpoint:
    """What cannot be read is set aside, said, and made again from the ledger: it is never a reason not
    to start."""
    files.sweep(path.parent)
    data = files.read(path)
    if data is None:
        return Checkpoint()
    found = record.decode(data)
    if isinstance(found, Corrupt) and (theirs := predecessor.left(data)) is not None:
        aside = files.set_aside(path, ASIDE)
        _log.warning(
            "checkpoint of NVIDIA's driver set aside: its claims are taken over as the ledger confirms them",
            path=path,
            aside=aside,
            claim_uids=sorted(theirs.claims),
        )
        return Checkpoint()
    if isinstance(found, Corrupt):
        aside = files.set_aside(path)
        _log.error("checkpoint cannot be read: set aside", path=path, aside=aside, reason=found.reason)
        return Checkpoint()
    if found.torn:
        _log.error("end of the checkpoint cannot be read", path=path, reason=found.torn)
    for uid, reason in found.unreadable.items():
        _log.error("checkpoint entry cannot be read", path=path, claim_uid=uid, reason=reason)
    return found.checkpoint
