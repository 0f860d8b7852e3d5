"""Keys that need a look: each by one worker at a time, several in parallel, failures later again.

What is to be done is not in here: a key only says where to look (wake, then look), so that a key
added twice is one look, and a restart and a change are the same path.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 15.0
_MOST_DOUBLINGS = 16


class Again(Exception):
    """The look did not get through; look again after `after_seconds` or more, or as soon as there is news."""

    def __init__(self, after_seconds: float = 0.0) -> None:
        super().__init__(after_seconds)
        self.after_seconds = after_seconds


class Worklist(Generic[K]):
    def __init__(self) -> None:
        self._waiting: dict[K, None] = {}
        self._busy: set[K] = set()
        self._failures: dict[K, int] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}
        """Keys that come back later by themselves."""
        self._ready: asyncio.Event = asyncio.Event()

    def __len__(self) -> int:
        """How many wait for a worker."""
        return len(self._waiting)

    def add(self, key: K) -> None:
        """This key needs a look, now; if one is under way, another one after it."""
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        self._waiting[key] = None
        self._ready.set()

    def clear(self) -> None:
        """Forget what was to be looked at, for whoever looks at everything next."""
        for timer in self._timers.values():
            timer.cancel()
        for each in (self._timers, self._waiting, self._failures):
            each.clear()

    async def work(self, look: Callable[[K], Awaitable[None]], workers: int) -> None:
        """For ever."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(workers):
                tasks.create_task(self._work(look))

    async def _work(self, look: Callable[[K], Awaitable[None]]) -> None:
        while True:
            key = await self._take()
            try:
                await look(key)
                self._failures.pop(key, None)
            except Again as again:
                self._later(key, again.after_seconds)
            finally:
                self._busy.discard(key)
                self._ready.set()

    async def _take(self) -> K:
        while True:
            key = next((key for key in self._waiting if key not in self._busy), None)
            if key is not None:
                del self._waiting[key]
                self._busy.add(key)
                return key
            self._ready.clear()
            await self._ready.wait()

    def _later(self, key: K, after_seconds: float) -> None:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        if key in self._waiting:
            return  # there is news of it already
        grown = _FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, _MOST_DOUBLINGS)
        pause = max(min(grown, _LONGEST_PAUSE_SECONDS), after_seconds)
        self._timers[key] = asyncio.get_running_loop().call_later(pause, self.add, key)
