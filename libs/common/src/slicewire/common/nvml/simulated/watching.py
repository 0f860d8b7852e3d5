"""Wakes who waits for a file to change: through inotify where the system has it, else by looking often.

Spurious wakings are allowed; a change missed is not, so whoever waits looks first.
"""

from __future__ import annotations

import ctypes
import os
import select
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Protocol

_IN_CLOSE_WRITE, _IN_MOVED_TO, _IN_DELETE = 0x008, 0x080, 0x200
_IN_CLOEXEC, _IN_NONBLOCK = os.O_CLOEXEC, os.O_NONBLOCK
_OFTEN_SECONDS = 0.01
_MOST_BYTES = 65536
_LIBC = ctypes.CDLL(None, use_errno=True)


class Watch(Protocol):
    """Of one folder."""

    def wait(self, seconds: float) -> None:
        """Until something in the folder changed, `wake` was called, or the time is over."""

    def wake(self) -> None:
        """Every `wait` from now on returns at once. From any thread."""


class FolderWatch:
    """Of the files in one folder."""

    def __init__(self, folder: Path) -> None:
        self._woken, self._waker = os.pipe()
        os.set_blocking(self._waker, False)
        self._changes = _watch(folder)
        weakref.finalize(self, _close, self._woken, self._waker, self._changes)

    def wait(self, seconds: float) -> None:
        """Until something in the folder changed, `wake` was called, or the time is over."""
        watched = select.poll()
        watched.register(self._woken, select.POLLIN)
        if self._changes is None:
            seconds = min(seconds, _OFTEN_SECONDS)
        else:
            watched.register(self._changes, select.POLLIN)
        ready = watched.poll(max(0.0, seconds) * 1000)
        if self._changes is not None and (self._changes, select.POLLIN) in ready:
            with suppress(BlockingIOError):  # another thread that waits was quicker
                os.read(self._changes, _MOST_BYTES)

    def wake(self) -> None:
        """Every `wait` from now on returns at once. From any thread."""
        with suppress(BlockingIOError):  # the pipe is full of earlier calls
            os.write(self._waker, b"!")


def _close(*numbers: int | None) -> None:
    for number in numbers:
        if number is not None:
            os.close(number)


def _watch(folder: Path) -> int | None:
    """An inotify descriptor of one folder; None where there is no inotify, or no more of it."""
    number = begin()
    if number is not None and add(number, folder) is None:
        os.close(number)
        return None
    return number


def begin() -> int | None:
    """An inotify descriptor that watches nothing yet; None where there is none."""
    try:
        number = int(_LIBC.inotify_init1(_IN_CLOEXEC | _IN_NONBLOCK))
    except AttributeError:
        return None
    return number if number >= 0 else None


def add(number: int, folder: Path) -> int | None:
    """The descriptor watches this folder, too; by which number it tells of it."""
    told_as = int(
        _LIBC.inotify_add_watch(number, os.fsencode(folder), _IN_CLOSE_WRITE | _IN_MOVED_TO | _IN_DELETE)
    )
    return told_as if told_as >= 0 else None
