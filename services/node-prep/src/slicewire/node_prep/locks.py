"""One lock per name, made when needed: claims go in parallel, what concerns one device in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class Locks:
    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def holding(self, *names: str) -> AsyncIterator[None]:
        """All of them, always taken in the same order, so that two takers never wait for each other."""
        locks = [self._locks.setdefault(name, asyncio.Lock()) for name in sorted(set(names))]
        held: list[asyncio.Lock] = []
        try:
            for lock in locks:
                await lock.acquire()
                held.append(lock)
            yield
        finally:
            for lock in reversed(held):
                lock.release()
