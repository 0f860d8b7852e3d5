"""A file that grows by whole lines and, when it has grown too long, is replaced by a short one.

Lines are added in place: no file is made for them, and no folder changed. Only one process may write it at
a time; that another has written it, or taken it away, is noticed. All of it blocks: call it in a thread.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from slicewire.node_prep import files
from slicewire.node_prep.files import DiskFault

_LONGEST = 256 * 1024
"""Bytes. Replacing a file costs some milliseconds, and reading one of this length fewer."""
_GROW = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
_END = b"\n"


class GrowingFile:
    def __init__(self, path: Path, mode: int, longest: int = _LONGEST) -> None:
        self._path = path
        self._mode = mode
        self._longest = longest
        self._descriptor = -1
        self._length = 0

    def may_grow(self) -> bool:
        """False where it must be replaced: it is not as we left it, or too long."""
        if self._descriptor < 0 or self._length > self._longest:
            return False
        try:
            there = os.stat(self._path, follow_symlinks=False)  # noqa: PTH116 - a Path costs more than the question
            ours = os.fstat(self._descriptor)
        except OSError:
            return False
        is_same = (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)
        return is_same and there.st_size == self._length

    def replace(self, line: bytes) -> None:
        """By one line, which is there after a power cut. Raises `DiskFault`."""
        self.let_go()
        files.write(self._path, line + _END, self._mode)
        with files.mapped("opening", self._path):
            self._descriptor = os.open(self._path, _GROW)
        self._length = len(line) + len(_END)

    def add(self, line: bytes) -> None:
        """A line at its end. Raises `DiskFault`: then it is as it was, or will be replaced."""
        try:
            with files.mapped("writing", self._path):
                files.write_all(self._descriptor, line + _END)
        except DiskFault:
            self._shorten()
            raise
        self._length += len(line) + len(_END)

    def keep(self) -> None:
        """All lines are there after a power cut. Raises `DiskFault`: then nothing is known of it."""
        try:
            with files.mapped("writing", self._path):
                os.fdatasync(self._descriptor)
        except DiskFault:
            self.let_go()
            raise

    def let_go(self) -> None:
        """It will be replaced before it grows again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def _shorten(self) -> None:
        with suppress(OSError):
            os.ftruncate(self._descriptor, self._length)
        self.let_go()
