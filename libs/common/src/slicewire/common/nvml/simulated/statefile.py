"""Where a simulated node's state lies: one JSON file, shared by the node's processes.

A change is made under a lock and replaces the file in one step, so a reader never sees half of it
and a process killed in the middle leaves the state before.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from slicewire.common.nvml.simulated.state import BadState, NodeState

Signature = tuple[int, int, int]
"""Inode, time and size: another one means another content."""


class StateFile:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock, self._beside = str(path.with_suffix(".lock")), path.with_suffix(".new")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Alone among all processes. The lock is a file beside the state, as that one is replaced."""
        lock = self._opened()
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _opened(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            return os.open(self._lock, flags, 0o666)
        except (FileNotFoundError, NotADirectoryError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(self._lock, flags, 0o666)

    def read(self) -> NodeState:
        """Raises `BadState`."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=NodeState).checked()
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError, BadState) as error:
            raise BadState(f"simulated node {self.path}: {error}") from error

    def write(self, state: NodeState) -> None:
        """Under the lock only."""
        self._beside.write_bytes(msgspec.json.format(msgspec.json.encode(state), indent=1))
        self._beside.replace(self.path)

    def change(self, change: Callable[[NodeState], NodeState]) -> NodeState:
        """Read, change and write as one step. Raises `BadState`."""
        with self.locked():
            state = change(self.read())
            self.write(state)
        return state

    def signature(self) -> Signature | None:
        """None where there is no file."""
        try:
            found = os.stat(self.path)  # noqa: PTH116 - it is asked at every look
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
