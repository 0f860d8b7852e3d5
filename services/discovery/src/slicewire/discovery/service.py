"""Look on start, on news and on a timer; tell when what is seen differs from what was told.

What was told is heard from the stream, so a restart that sees the same tells nothing, and a stream
that lost its state is told again. The first news is acted on at once; when there is always more, what
is true by then is told at a steady pace. Whoever asks is told that this agent is there, and still looks.
"""

from __future__ import annotations

import asyncio
import time

import msgspec

from slicewire.common import telemetry
from slicewire.common.bus.port import ABSENT, Bus, BusUnavailable, CaughtUp, Declined, TooLarge
from slicewire.common.logs import Log
from slicewire.common.messages import ALIVE, INVENTORY, AliveReply, AliveRequest, PoolObserved
from slicewire.common.model import DriverName, NodeName
from slicewire.common.nvml.facts import Event, EventKind
from slicewire.discovery import metrics
from slicewire.discovery.checkup import Checkup
from slicewire.discovery.core.health.pace import Pace
from slicewire.discovery.watching import Watch

RETRY_SECONDS = 1.0
"""How long after a lost bus to look and tell again."""
DRIVER_SECONDS = 3.0
"""How often to look for a driver that is not there: trying costs little, and pods wait for it."""
LOOKS_PER_SECOND = 5
LOOKS_AT_ONCE = 3
LOOKS_MISSED = 10
"""So many looks late, an agent is stuck (in a driver that hangs), and no better than one that is gone."""
_SOONEST_SECONDS = 0.01
_NANOSECONDS = 1_000_000_000
_log = Log("discovery")


class Discovery:
    """Keeps the stream told of one node's pool."""

    def __init__(self, bus: Bus, watch: Watch, checkup: Checkup, look_every_seconds: float) -> None:
        self._bus = bus
        self._watch = watch
        self._checkup = checkup
        self._look_every_seconds = look_every_seconds
        self._pace = Pace(LOOKS_PER_SECOND, LOOKS_AT_ONCE)
        self._caught_up = asyncio.Event()
        self._told: PoolObserved | None = None
        self._told_at = ABSENT
        self._generation = 0
        self._is_told = False
        self._looked_at: float | None = None

    def is_ready(self) -> bool:
        """The stream has what was last seen."""
        return self._is_told

    async def run(self) -> None:
        serving = self._bus.serve({ALIVE: self._say_alive}, *self._checkup.key, name="discovery")
        async with serving, asyncio.TaskGroup() as tasks:
            tasks.create_task(self._hear_what_was_told())
            await self._caught_up.wait()
            await asyncio.to_thread(self._checkup.recall, self._told)
            await self._look_and_tell()
            tasks.create_task(self._watch.run())
            tasks.create_task(self._keep_telling())

    async def _say_alive(self, _asked: AliveRequest) -> AliveReply | Declined:
        node, driver = self._checkup.key
        if self._looked_at is None:
            return Declined(503, f"discovery of {node} has not looked yet")
        late = time.monotonic() - self._looked_at
        if late > LOOKS_MISSED * self._look_every_seconds:
            return Declined(503, f"discovery of {node} has not looked for {late:.0f} s")
        return AliveReply(NodeName(node), DriverName(driver), self._generation)

    async def _hear_what_was_told(self) -> None:
        while True:
            try:
                async for heard in self._bus.follow(INVENTORY.under(*self._checkup.key)):
                    if isinstance(heard, CaughtUp):
                        self._caught_up.set()
                        self._watch.wake()
                    elif heard.sequence > self._told_at:
                        self._remember(heard.fact, heard.sequence)
            except BusUnavailable as error:
                _log.warning("what was told is unknown, hearing it anew", reason=str(error))
                self._caught_up.clear()
                self._remember(None, ABSENT)

    def _remember(self, told: PoolObserved | None, sequence: int) -> None:
        self._told, self._told_at = told, sequence
        self._generation = max(self._generation, told.generation if told else 0)

    async def _keep_telling(self) -> None:
        while True:
            await self._watch.woken(self._seconds_to_next_look())
            await self._in_turn()
            await self._look_and_tell()

    async def _in_turn(self) -> None:
        """More news may come meanwhile: it is part of the same look."""
        await asyncio.sleep(self._pace.wait(time.monotonic_ns()) / _NANOSECONDS)
        self._pace = self._pace.used(time.monotonic_ns())

    async def _look_and_tell(self) -> None:
        """What befalls a GPU while the bus is away is found, and remembered, all the same."""
        events = self._watch.taken()
        for event in events:
            _say(event)
        with metrics.LOOK_SECONDS.timing():
            seen = await asyncio.to_thread(self._checkup.look, events)
        metrics.seen(seen, is_driverless=self._checkup.is_without_driver())
        self._looked_at = time.monotonic()
        self._is_told = self._caught_up.is_set() and await self._tell_if_it_differs(seen)

    def _seconds_to_next_look(self) -> float:
        pauses = [self._look_every_seconds]
        if not self._is_told:
            pauses.append(RETRY_SECONDS)
        if self._checkup.is_without_driver():
            pauses.append(DRIVER_SECONDS)
        if (change := self._checkup.seconds_to_next_change()) is not None:
            pauses.append(max(change, _SOONEST_SECONDS))
        return min(pauses)

    async def _tell_if_it_differs(self, seen: PoolObserved) -> bool:
        """False when the bus did not take it: look again, then tell what is true by then."""
        pool = msgspec.structs.replace(seen, answers=True, generation=self._generation + 1)
        if self._told and msgspec.structs.replace(self._told, generation=pool.generation) == pool:
            return True
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
            except (BusUnavailable, TooLarge) as error:
                span.failed(str(error))
                _log.warning(
                    "inventory not told yet", node=pool.node, generation=pool.generation, reason=str(error)
                )
                return False
            self._remember(pool, sequence)
            _say_told(pool)
        return True


def _say_told(pool: PoolObserved) -> None:
    ill = sum(bool(device.taints) for device in pool.devices)
    _log.info(
        "inventory told",
        node=pool.node,
        generation=pool.generation,
        devices=len(pool.devices),
        tainted=ill,
    )
    for part in pool.unreadable:
        _log.warning("cannot be offered", node=pool.node, what=part.what, reason=part.reason)


def _say(event: Event) -> None:
    metrics.EVENTS.add(event.kind)
    if event.kind is not EventKind.CHANGED:
        _log.warning("NVML reports an event", kind=str(event.kind), gpu=event.gpu, code=event.code)
