"""Look on start, on an event and on a timer; tell when what is seen differs from what was told.

What was told is heard from the stream, so a restart that sees the same tells nothing, and a stream
that lost its state is told again.
"""

from __future__ import annotations

import asyncio

import msgspec

from slicewire.common import telemetry
from slicewire.common.bus.port import ABSENT, Bus, BusUnavailable, CaughtUp
from slicewire.common.logs import Log
from slicewire.common.messages import INVENTORY, PoolObserved
from slicewire.common.nvml.port import Event, EventKind, Nvml
from slicewire.discovery.looking import Looker

RETRY_SECONDS = 1.0
"""How long after a lost bus to look and tell again."""
_log = Log("discovery")


class Discovery:
    """Keeps the stream told of one node's pool."""

    def __init__(self, bus: Bus, nvml: Nvml, looker: Looker, look_every_seconds: float) -> None:
        self._bus = bus
        self._nvml = nvml
        self._looker = looker
        self._look_every_seconds = look_every_seconds
        self._caught_up = asyncio.Event()
        self._told: PoolObserved | None = None
        self._told_at = ABSENT
        self._generation = 0
        self._is_told = False

    def is_ready(self) -> bool:
        """The stream has what was last seen."""
        return self._is_told

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._hear_what_was_told())
            tasks.create_task(self._look_and_tell())

    async def _hear_what_was_told(self) -> None:
        while True:
            try:
                async for heard in self._bus.follow(INVENTORY.under(*self._looker.key)):
                    if isinstance(heard, CaughtUp):
                        self._caught_up.set()
                    elif heard.sequence > self._told_at:
                        self._remember(heard.fact, heard.sequence)
            except BusUnavailable as error:
                _log.warning("what was told is unknown, hearing it anew", reason=str(error))
                self._caught_up.clear()
                self._remember(None, ABSENT)

    def _remember(self, told: PoolObserved | None, sequence: int) -> None:
        self._told, self._told_at = told, sequence
        self._generation = max(self._generation, told.generation if told else 0)

    async def _look_and_tell(self) -> None:
        while True:
            await self._caught_up.wait()
            seen = await asyncio.to_thread(self._looker.look)
            self._is_told = await self._tell_if_it_differs(seen)
            pause = self._look_every_seconds if self._is_told else RETRY_SECONDS
            for event in await asyncio.to_thread(self._nvml.wait, pause):
                _say(event)

    async def _tell_if_it_differs(self, seen: PoolObserved) -> bool:
        """False when the bus did not take it: look again, then tell what is true by then."""
        if self._told and msgspec.structs.replace(self._told, generation=0) == seen:
            return True
        pool = msgspec.structs.replace(seen, generation=self._generation + 1)
        with telemetry.span(
            "tell inventory",
            kind=telemetry.Kind.PRODUCER,
            node=pool.node,
            generation=pool.generation,
            devices=len(pool.devices),
            unreadable=len(pool.unreadable),
        ) as span:
            try:
                sequence = await self._bus.tell(INVENTORY, pool)
            except BusUnavailable as error:
                span.failed(str(error))
                _log.warning("inventory not told yet", generation=pool.generation, reason=str(error))
                return False
            self._remember(pool, sequence)
            _say_told(pool)
        return True


def _say_told(pool: PoolObserved) -> None:
    _log.info("inventory told", node=pool.node, generation=pool.generation, devices=len(pool.devices))
    for part in pool.unreadable:
        _log.warning("cannot be offered", node=pool.node, what=part.what, reason=part.reason)


def _say(event: Event) -> None:
    if event.kind is not EventKind.CHANGED:
        _log.warning("NVML reports an event", kind=str(event.kind), gpu=event.gpu, code=event.code)
