"""A discovery at work: the true service, a simulated node, a real nats-server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec

from slicewire.common.bus.nats import connected
from slicewire.common.bus.port import Bus, CaughtUp
from slicewire.common.messages import INVENTORY, PoolObserved
from slicewire.common.model import NodeName
from slicewire.common.model.naming import NVIDIA_DRIVER
from slicewire.common.nvml.facts import Event
from slicewire.common.nvml.simulated import SimulatedNvml
from slicewire.common.nvml.simulated.state import NodeState, new_node
from slicewire.common.nvml.simulated.statefile import StateFile
from slicewire.discovery.looking import Looker
from slicewire.discovery.service import Discovery

NODE = NodeName("node-a.example")
"""With a dot, which no subject token may hold."""


class WatchedNvml(SimulatedNvml):
    """Says when discovery has looked, compared and told, and goes on to wait."""

    def __init__(self, path: Path, newborn: NodeState) -> None:
        super().__init__(path, newborn)
        self._waits = threading.Event()

    def wait(self, timeout_seconds: float) -> tuple[Event, ...]:
        self._waits.set()
        return super().wait(timeout_seconds)

    async def settled(self) -> None:
        assert await asyncio.to_thread(self._waits.wait, 10), "discovery never came to wait"


class Running(msgspec.Struct):
    discovery: Discovery
    nvml: WatchedNvml


class SimulatedNode:
    """The machine, as the world outside changes it."""

    def __init__(self, folder: Path, gpus: int = 4, name: NodeName = NODE) -> None:
        self.name = name
        self.path = folder / name / "gpus.json"
        self._newborn = new_node(name, "h100", gpus)
        self.nvml().close()

    def nvml(self) -> WatchedNvml:
        return WatchedNvml(self.path, self._newborn)

    def change(self, change: Callable[[NodeState], NodeState]) -> None:
        StateFile(self.path).change(change)


@asynccontextmanager
async def discovering(
    nats_url: str, node: SimulatedNode, look_every_seconds: float = 60
) -> AsyncIterator[Running]:
    """Looks on the timer so seldom that what a test sees came from an event, unless it says otherwise."""
    nvml = node.nvml()
    looker = Looker(nvml, node.name, NVIDIA_DRIVER, nvml.sysfs_root)
    async with connected(nats_url, name="discovery", patience_seconds=5) as bus:
        discovery = Discovery(bus, nvml, looker, look_every_seconds)
        running = asyncio.create_task(discovery.run())
        try:
            yield Running(discovery, nvml)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
            nvml.close()


async def hears(bus: Bus, wanted: Callable[[PoolObserved], bool], node: NodeName = NODE) -> PoolObserved:
    """The first inventory of this node that is as wanted."""
    async with asyncio.timeout(10):
        async for heard in bus.follow(INVENTORY):
            if not isinstance(heard, CaughtUp) and heard.key[0] == node and heard.fact and wanted(heard.fact):
                assert isinstance(heard.fact, PoolObserved)
                return heard.fact
    raise AssertionError("following never ends")


async def latest(bus: Bus) -> dict[str, tuple[int, PoolObserved]]:
    """What the stream holds now: node → sequence and pool."""
    found: dict[str, tuple[int, PoolObserved]] = {}
    async for heard in bus.follow(INVENTORY):
        if isinstance(heard, CaughtUp):
            return found
        if heard.fact:
            found[heard.key[0]] = heard.sequence, heard.fact
    raise AssertionError("following never ends")


def names(pool: PoolObserved) -> list[str]:
    return [device.name for device in pool.devices]
