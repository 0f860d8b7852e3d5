"""The numbers in the GPUs' names, kept in a small file so that they outlive a reboot.

Blocks. A file that cannot be read or written costs the memory, never the pool: GPUs are named as NVML
numbers them, and the reason is said.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from slicewire.common.model import wire
from slicewire.common.nvml.facts import Unseen
from slicewire.discovery import smallfile
from slicewire.discovery.core.names import Names


class NamesFile:
    """Without a path, or not `writable`, what is kept is kept for as long as discovery runs."""

    def __init__(self, path: Path | None = None, *, writable: bool = True) -> None:
        self._path = path
        self._writable = writable
        self._kept: Names | None = None
        self._trouble = ""

    def names(self) -> Names:
        if self._kept is None:
            self._kept = self._read()
        return self._kept

    def keep(self, names: Names) -> tuple[Unseen, ...]:
        """What could not be kept, if anything."""
        if self._path is not None and self._writable and (names != self.names() or self._trouble):
            self._trouble = _written(self._path, names)
        self._kept = names
        return (Unseen(f"names file {self._path}", self._trouble),) if self._trouble else ()

    def _read(self) -> Names:
        if self._path is None:
            return Names()
        try:
            return wire.decode(smallfile.read(self._path), Names)
        except FileNotFoundError:
            return Names()
        except (OSError, wire.Malformed) as error:
            self._trouble = f"cannot be read: {error}"
            return Names()


def _written(path: Path, names: Names) -> str:
    """Empty, or why not."""
    try:
        smallfile.write(path, msgspec.json.format(wire.encode(names), indent=2))
    except OSError as error:
        return f"cannot be written: {error.strerror}; names may change at the next start"
    return ""
