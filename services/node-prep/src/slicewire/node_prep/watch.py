"""News of how the devices fare, for as long as somebody listens: the whole list, at once and whenever it
changes, and again before it grows old.

It judges nothing (core/health.py does). Silence of the bus is told too, once it has lasted.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import msgspec

from slicewire.node_prep.core.health import DeviceHealth, health, unknown
from slicewire.node_prep.hearing import Hearing


class Rhythm(msgspec.Struct, frozen=True):
    refresh_seconds: float = 10.0
    """How often the list is said again although nothing changed."""
    timeout_seconds: int = 30
    """After how long without news nothing is known any more, here and at the kubelet. Shorter losses of
    the bus are not worth a new status of every pod."""


class HealthWatch:
    def __init__(self, hearing: Hearing, rhythm: Rhythm = Rhythm()) -> None:  # noqa: B008 - a frozen value
        self._hearing = hearing
        self._rhythm = rhythm
        self._is_over = False

    @property
    def timeout_seconds(self) -> int:
        return self._rhythm.timeout_seconds

    async def reports(self) -> AsyncIterator[tuple[DeviceHealth, ...]]:
        """Nothing is said before the node has been heard of."""
        seen, said, due = 0, None, time.monotonic()
        while not self._is_over:
            report = self._report()
            is_due = time.monotonic() >= due
            if report is not None and (report != said or is_due):
                yield report
            if is_due:
                due = time.monotonic() + self._rhythm.refresh_seconds
            said = report
            seen = await self._hearing.next_change(seen, max(0.0, due - time.monotonic()))
            if time.monotonic() >= due:
                await self._hearing.is_live()

    async def end(self) -> None:
        """Every listener is let go, so that nobody has to wait for them."""
        self._is_over = True
        await self._hearing.changed()

    def _report(self) -> tuple[DeviceHealth, ...] | None:
        if not self._hearing.caught_up:
            return None
        silent_seconds = self._hearing.silent_seconds()
        if silent_seconds < self._rhythm.timeout_seconds:
            return health(self._hearing.node)
        return unknown(self._hearing.node, "the bus is away: nothing has been heard of the device since")
