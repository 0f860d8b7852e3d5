"""Writes a small file that must outlive us: all of it or nothing, and still there after a power cut.

One writer at a time: what one that was killed left beside the file, the next one writes over.
"""

from __future__ import annotations

import os
from pathlib import Path

_A_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
"""Nothing that stands there is followed or written over."""
_READABLE = 0o644


def write(path: Path, data: bytes) -> None:
    """Raises `OSError`, and then the file is as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.unlink(missing_ok=True)
        with os.fdopen(os.open(beside, _A_NEW_FILE, _READABLE), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
