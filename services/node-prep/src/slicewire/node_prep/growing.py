"""A file that grows by whole lines and, when it has grown too long, is replaced by a short one.

Lines are added in place: no file is made for them, and no folder changed. Only one process may write it at
a time; that another has written it, or taken it away, is noticed. All of it blocks: call it in a thread.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from slicewire.node_prep import files

_LONGEST = 256 * 1024
"""Bytes. Replacing a file costs some milliseconds, and reading one of this length fewer."""
_GROW = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
_END = b"\n"


class _Left(msgspec.Struct, frozen=True):
    """Which file it is, and how long."""

    device: int
    inode: int
    length: int


class GrowingFile:
    """It is open only while it is written: there may be a thousand of them in one process."""

    def __init__(self, path: Path, mode: int, longest: int = _LONGEST) -> None:
        self._path = path
        self._mode = mode
        self._longest = longest
        self._left: _Left | None = None

    def may_grow(self) -> bool:
        """False where it must be replaced: it is not as we left it, or too long."""
        if self._left is None or self._left.length > self._longest:
            return False
        try:
            return self._now() == self._left
        except OSError:
            return False

    def replace(self, line: bytes) -> None:
        """By one line, which is there after a power cut. Raises `DiskFault`."""
        self.let_go()
        files.write(self._path, line + _END, self._mode)
        with files.mapped("reading", self._path):
            self._left = self._now()

    def add(self, line: bytes) -> None:
        """A line at its end. Raises `DiskFault`: then it is as it was, or will be replaced."""
        assert self._left is not None, "it may grow"
        before, self._left = self._left, None
        with self._opened() as descriptor:
            try:
                files.write_all(descriptor, line + _END)
            except OSError:
                os.ftruncate(descriptor, before.length)
                raise
        self._left = msgspec.structs.replace(before, length=before.length + len(line) + len(_END))

    def keep(self) -> None:
        """All lines are there after a power cut. Raises `DiskFault`: then nothing is known of it."""
        before, self._left = self._left, None
        with self._opened() as descriptor:
            os.fdatasync(descriptor)
        self._left = before

    def let_go(self) -> None:
        """It will be replaced before it grows again."""
        self._left = None

    def _now(self) -> _Left:
        """Raises `OSError`."""
        there = os.stat(self._path, follow_symlinks=False)  # noqa: PTH116 - a Path costs more than the question
        return _Left(there.st_dev, there.st_ino, there.st_size)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        with files.mapped("writing", self._path):
            descriptor = os.open(self._path, _GROW)
            try:
                yield descriptor
            finally:
                os.close(descriptor)
