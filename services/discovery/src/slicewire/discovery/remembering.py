"""What was found wrong with the GPUs, kept in a small file, so that a new agent knows it.

Blocks. A file that cannot be read or written is said and costs the memory only: what was told is on the
stream as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from slicewire.common.logs import Log
from slicewire.common.model import wire
from slicewire.discovery import smallfile
from slicewire.discovery.core.health.findings import Health
from slicewire.discovery.core.health.lasting import Offer

_log = Log("discovery")


class Remembered(msgspec.Struct, frozen=True, rename="camel"):
    health: Health = Health()
    kept: Offer = Offer()
    """What was offered of GPUs that are lost."""
    version: Literal[1] = 1


class Memory:
    """Without a path nothing is kept."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._written: Remembered | None = None

    def recall(self) -> Remembered | None:
        """None where nothing was kept, or what was kept cannot be read."""
        if self._path is None or not self._path.exists():
            return None
        try:
            self._written = wire.decode(smallfile.read(self._path), Remembered)
        except (OSError, wire.Malformed) as error:
            _log.warning("health file cannot be read, and begins anew", path=self._path, reason=str(error))
        return self._written

    def keep(self, remembered: Remembered) -> None:
        if self._path is None or remembered == self._written:
            return
        try:
            smallfile.write(self._path, msgspec.json.format(wire.encode(remembered), indent=1))
        except OSError as error:
            _log.warning("health file cannot be written", path=self._path, reason=str(error))
        else:
            self._written = remembered
