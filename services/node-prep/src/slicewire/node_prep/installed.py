"""The driver's files, looked for again only when one of their folders has changed.

It trusts a folder's time no more than a file system does: what changed a moment ago is looked for each
time, and nothing is believed for longer than a minute. All of it blocks: call it in a thread.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from slicewire.node_prep import driverfiles
from slicewire.node_prep.core.driver import Link

_COARSE_SECONDS = 2.0
"""Two changes within this may leave the same time."""
_BELIEVED_SECONDS = 60.0


class Installed(msgspec.Struct, frozen=True):
    libraries: tuple[str, ...]
    links: tuple[Link, ...]
    files: tuple[str, ...]
    """Programs, firmware, and what graphics libraries read."""


_Signature = tuple[tuple[int, int, int], ...]
"""Of each folder: device, inode and time."""


class Installation:
    def __init__(self, root: Path, clock: Callable[[], float] = time.time) -> None:
        self._root = root
        self._clock = clock
        self._known: dict[str, tuple[_Signature, float, Installed]] = {}
        """By version of the driver; at most one."""

    def of(self, version: str) -> Installed:
        """Raises `OSError`."""
        signature, now = tuple(self._signatures(version)), self._clock()
        seen = self._known.get(version)
        if seen is not None and seen[0] == signature and 0 <= now - seen[1] < _BELIEVED_SECONDS:
            return seen[2]
        found = self._found(version)
        latest = max(changed / 1e9 for _, _, changed in signature)
        self._known = {version: (signature, now, found)} if now - latest > _COARSE_SECONDS else {}
        return found

    def _signatures(self, version: str) -> Iterator[tuple[int, int, int]]:
        for folder in driverfiles.folders(version):
            try:
                status = os.stat(f"{self._root}{folder}")  # noqa: PTH116 - a Path costs more than the question
            except OSError:
                yield (0, 0, 0)
            else:
                yield (status.st_dev, status.st_ino, status.st_mtime_ns)

    def _found(self, version: str) -> Installed:
        libraries = tuple(driverfiles.libraries(self._root, version))
        return Installed(
            libraries=libraries,
            links=tuple(driverfiles.links(self._root, libraries)),
            files=(
                *driverfiles.programs(self._root),
                *driverfiles.firmware(self._root, version),
                *driverfiles.graphics(self._root),
            ),
        )
