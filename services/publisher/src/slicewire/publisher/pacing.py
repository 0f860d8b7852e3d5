"""A pace of requests: so many a second, with a reserve for bursts. Refuses nothing: who is early waits."""

from __future__ import annotations

import asyncio


class Pace:
    """One for all requests of a process. Nothing a second is no limit."""

    def __init__(self, a_second: float, burst: int) -> None:
        self._step = 1.0 / a_second if a_second > 0 else 0.0
        self._reserve = self._step * max(burst - 1, 0)
        self._next = 0.0
        """When the request after this one would be due, were there no reserve."""

    async def turn(self) -> None:
        """Returns when this request may go; in the order of asking."""
        now = asyncio.get_running_loop().time()
        due = max(self._next, now - self._reserve)
        self._next = due + self._step
        if due > now:
            await asyncio.sleep(due - now)
