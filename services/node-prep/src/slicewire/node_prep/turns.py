"""Whose turn it is: the state of a node on disk is one process' at a time, for as long as claims are in work.

While one instance of the driver replaces another, both may be asked. Whoever has the turn knows what the
other did before; nobody overtakes one who waits. A process that dies gives its turn back. Blocks nobody
where there is one process alone: then a turn costs a few system calls.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from slicewire.node_prep.files import DiskFault

_TOKEN_BYTES = 16
_OURS_ALONE = 0o600
_FOLDER_MODE = 0o750


class Turns:
    """`folder` is that of the state; all instances of the driver on a node share it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._entering = asyncio.Lock()
        self._inside = 0
        self._token = secrets.token_bytes(_TOKEN_BYTES)
        self._gate = self._room = -1

    def open(self) -> None:
        """Raises `DiskFault`."""
        try:
            self._folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        except OSError as error:
            raise DiskFault(f"making {self._folder}: {error.strerror or error}") from error
        self._gate = _opened(self._folder / "gate.lock")
        self._room = _opened(self._folder / "turn.lock")

    def close(self) -> None:
        for descriptor in (self._gate, self._room):
            if descriptor >= 0:
                os.close(descriptor)
        self._gate = self._room = -1

    def was_last_ours(self) -> bool:
        """Whether nobody else has had the turn since we had it."""
        return self._room >= 0 and os.pread(self._room, _TOKEN_BYTES, 0) == self._token

    @asynccontextmanager
    async def taken(self, take_over: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
        """Ours while the block runs. `take_over` reads what another has left, when there was one."""
        async with self._entering:
            await self._enter(take_over)
        try:
            yield
        finally:
            self._inside -= 1
            if not self._inside:
                fcntl.flock(self._room, fcntl.LOCK_UN)

    async def _enter(self, take_over: Callable[[], Awaitable[None]]) -> None:
        """Through the gate even when the turn is ours already: who waits there comes first."""
        await _locked(self._gate)
        try:
            if not self._inside:
                await _locked(self._room)
                try:
                    await self._take_over(take_over)
                except BaseException:
                    fcntl.flock(self._room, fcntl.LOCK_UN)
                    raise
            self._inside += 1
        finally:
            fcntl.flock(self._gate, fcntl.LOCK_UN)

    async def _take_over(self, take_over: Callable[[], Awaitable[None]]) -> None:
        if not self.was_last_ours():
            await take_over()
            os.pwrite(self._room, self._token, 0)


def _opened(path: Path) -> int:
    """Not through a link, whose target would be written over, and no pipe, which would be waited for."""
    how = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, how, _OURS_ALONE)
    except OSError as error:
        raise DiskFault(f"opening {path}: {error.strerror or error}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise DiskFault(f"opening {path}: it is not a file; remove it")
    return descriptor


async def _locked(descriptor: int) -> None:
    """At once where nobody has it; else a thread waits, so that nobody else does."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        await asyncio.to_thread(fcntl.flock, descriptor, fcntl.LOCK_EX)
