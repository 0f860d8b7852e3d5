"""What a store's commits leave for one who waits for them: each change once, in order, none lost."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from tests.kubeapi.history import Change, History
from tests.kubeapi.kinds import Kind
from tests.kubeapi.statuses import Refused


class Feed:
    """Open from `with` on. A refusal put into it reaches the taker after the changes before it."""

    def __init__(self, history: History, kind: Kind | None = None) -> None:
        self._history = history
        self._kind = kind
        self._waiting: list[Change | Refused] = []
        self._ready = asyncio.Event()

    def __enter__(self) -> Self:
        self._stop = self._history.listen(self._heard)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _heard(self, change: Change) -> None:
        if self._kind is None or change.kind is self._kind:
            self.put(change)

    def put(self, news: Change | Refused) -> None:
        self._waiting.append(news)
        self._ready.set()

    async def take(self, within_seconds: float | None = None) -> tuple[Change | Refused, ...]:
        """Everything since the last time; waits for something, or gives nothing when time is up."""
        try:
            async with asyncio.timeout(within_seconds):
                await self._ready.wait()
        except TimeoutError:
            return ()
        taken, self._waiting = tuple(self._waiting), []
        self._ready.clear()
        return taken
