"""Reads and writes small files. One that must outlive us is written all or not at all, and is still there
after a power cut.

One writer at a time: what one that was killed left beside the file, the next one writes over.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

_A_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
"""Nothing that stands there is followed or written over."""
_READABLE = 0o644


def read(path: Path) -> bytes:
    """Links are followed: Kubernetes mounts files as links. What is no file is refused: a pipe in its place
    would be waited for. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a file", str(path))
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(descriptor)


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
