"""Three servers, of which one after the other is killed, and how long nobody could write meanwhile."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterable
from typing import Any

import msgspec

from slicewire.common.bus.link import ApiFault
from slicewire.common.bus.nats import NatsBus
from slicewire.common.bus.port import BusUnavailable
from slicewire.common.messages import CLASSES, HISTORY_STREAM, STATE_STREAM, ClassObserved
from slicewire.common.model import DeviceClass, ObjectMeta, wire
from tests.security.servers import Server

STREAMS = (STATE_STREAM, HISTORY_STREAM)
_PROBE = "probe"
_PROBE_SECONDS = 0.25


class Loss(msgspec.Struct, frozen=True):
    """One server that was killed."""

    server: str
    led: tuple[str, ...]
    pause_ms: int
    """The longest time between two writes that were acknowledged, from the kill to the return."""
    back_seconds: float
    """From its start until it had everything again."""


class Pulse:
    """Writes all the time, and knows when a write was acknowledged."""

    def __init__(self, bus: NatsBus) -> None:
        self._bus = bus
        self._at: list[float] = []

    async def beat(self) -> None:
        fact = ClassObserved(device_class=DeviceClass(metadata=ObjectMeta(name=_PROBE)))
        subject, body = CLASSES.subject(_PROBE), wire.encode(fact)
        headers = {"ce-id": "pulse-0", "ce-source": "/slicewire/pulse"}
        while True:
            try:
                answer = await self._bus._client.asked(subject, body, headers, _PROBE_SECONDS)
                if "seq" in wire.decode(answer.data, dict[str, Any]):
                    self._at.append(time.monotonic())
            except Exception:  # noqa: BLE001 - whatever it is, it was no acknowledgement
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.01)

    def longest_since(self, begin: float) -> int:
        at = [begin, *(moment for moment in self._at if moment >= begin)]
        return round(1000 * max(after - before for before, after in itertools.pairwise(at)))


async def cluster_of(bus: NatsBus, stream: str) -> dict[str, Any]:
    found: dict[str, Any] = (await bus.link.api(f"STREAM.INFO.{stream}", {}))["cluster"]
    return found


async def leaders(bus: NatsBus) -> dict[str, str]:
    return {stream: (await cluster_of(bus, stream)).get("leader", "") for stream in STREAMS}


async def _is_whole(bus: NatsBus) -> bool:
    for stream in STREAMS:
        found = await cluster_of(bus, stream)
        replicas = found.get("replicas", ())
        if not found.get("leader") or len(replicas) < 2:
            return False
        if any(not one["current"] or one.get("offline") for one in replicas):
            return False
    return True


async def whole(bus: NatsBus, seconds: float = 40) -> float:
    """Every server has everything of both streams; returns how long that took."""
    begun = time.monotonic()
    async with asyncio.timeout(seconds):
        while True:
            try:
                if await _is_whole(bus):
                    return time.monotonic() - begun
            except (BusUnavailable, ApiFault):
                pass
            await asyncio.sleep(0.1)


async def lose(bus: NatsBus, servers: Iterable[Server], done: Iterable[str], pulse: Pulse) -> Loss:
    """Kill one that has not been killed yet, the leader of the state if it can be, and start it again."""
    led = await leaders(bus)
    left = [server for server in servers if server.name not in done]
    left.sort(key=lambda server: (server.name != led[STATE_STREAM], server.name != led[HISTORY_STREAM]))
    victim, begun = left[0], time.monotonic()
    await victim.end()
    await asyncio.sleep(4)
    await victim.start()
    back = await whole(bus)
    its = tuple(stream for stream, leader in led.items() if leader == victim.name)
    return Loss(victim.name, its, pulse.longest_since(begun), round(back, 1))
