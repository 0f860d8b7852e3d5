"""A discovery at work: the true service, a simulated node, a real nats-server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import yaml

from slicewire.common.bus.nats import connected
from slicewire.common.bus.port import Bus, CaughtUp
from slicewire.common.messages import INVENTORY, PoolObserved
from slicewire.common.model import NodeName
from slicewire.common.model.naming import NVIDIA_DRIVER
from slicewire.common.nvml.facts import Event, NodeFacts, NvmlAbsent
from slicewire.common.nvml.simulated import SimulatedNvml
from slicewire.common.nvml.simulated.faults import befallen
from slicewire.common.nvml.simulated.state import NodeState, new_node
from slicewire.common.nvml.simulated.statefile import StateFile
from slicewire.discovery.checkup import Checkup
from slicewire.discovery.core import pci
from slicewire.discovery.core.policy import NodePolicy
from slicewire.discovery.looking import Looker
from slicewire.discovery.policyfile import PolicyFile
from slicewire.discovery.remembering import Memory
from slicewire.discovery.seeing import SeeingNvml
from slicewire.discovery.service import Discovery
from slicewire.discovery.watching import Watch, kernel_of

NODE = NodeName("node-a.example")
"""With a dot, which no subject token may hold."""


class WatchedNvml(SimulatedNvml):
    """Says when discovery has looked, compared and told, and goes on to wait; and fails as NVML may."""

    def __init__(self, path: Path, newborn: NodeState) -> None:
        super().__init__(path, newborn)
        self._waits = threading.Event()
        self._hidden: NvmlAbsent | None = None
        self._overlooked = ""
        self._goes_on = threading.Event()
        self._goes_on.set()
        self.begun_anew = 0

    def wait(self, timeout_seconds: float) -> tuple[Event, ...]:
        self._waits.set()
        return super().wait(timeout_seconds)

    def look(self) -> NodeFacts | NvmlAbsent:
        self._goes_on.wait()
        found = super().look()
        if self._hidden or not isinstance(found, NodeFacts):
            return self._hidden or found
        listed = tuple(gpu for gpu in found.gpus if pci.bus_id(gpu.pci_bus_id) != self._overlooked)
        return msgspec.structs.replace(found, gpus=listed)

    def let_go(self) -> None:
        """The session that begins then lists all GPUs there are."""
        self._overlooked = ""
        self.begun_anew += 1
        super().let_go()

    def hides(self, behind: NvmlAbsent | None) -> None:
        """The library is away, and nothing says so."""
        self._hidden = behind

    def hangs(self, until: threading.Event) -> None:
        """Each look from now on, as in a driver that is stuck."""
        self._goes_on = until

    def overlooks(self, pci_bus_id: str) -> None:
        """As the real one does with a GPU that came after it began."""
        self._overlooked = pci_bus_id

    async def settled(self) -> None:
        assert await asyncio.to_thread(self._waits.wait, 10), "discovery never came to wait"


class Running(msgspec.Struct):
    discovery: Discovery
    nvml: WatchedNvml
    watch: Watch


class SimulatedNode:
    """The machine, as the world outside changes it."""

    def __init__(self, folder: Path, gpus: int = 4, name: NodeName = NODE) -> None:
        self.name = name
        self.path = folder / name / "gpus.json"
        self.policy_file: Path | None = None
        self.health_file: Path | None = folder / f"{name}.health.json"
        self._newborn = new_node(name, "h100", gpus)
        self.nvml().close()

    def nvml(self) -> WatchedNvml:
        return WatchedNvml(self.path, self._newborn)

    def change(self, change: Callable[[NodeState], NodeState]) -> None:
        StateFile(self.path).change(change)

    def has_health_rules(self, **sections: object) -> None:
        """In its node policy."""
        policy = {"apiVersion": NodePolicy.API_VERSION, "kind": NodePolicy.KIND, "health": sections}
        self.policy_file = self.path.with_name("policy.yaml")
        self.policy_file.write_text(yaml.safe_dump(policy))

    def uuid(self, minor: int) -> str:
        return StateFile(self.path).read().gpu(minor).uuid

    def befalls(self, minor: int, fault: str) -> None:
        self.change(lambda state: befallen(state, minor, fault))


@asynccontextmanager
async def discovering(
    nats_url: str,
    node: SimulatedNode,
    look_every_seconds: float = 60,
) -> AsyncIterator[Running]:
    """Looks on the timer so seldom that what a test sees came from an event, unless it says otherwise."""
    nvml = node.nvml()
    seeing = SeeingNvml(nvml)
    looker = Looker(seeing, node.name, NVIDIA_DRIVER, nvml.sysfs_root, PolicyFile(node.policy_file))
    checkup = Checkup(looker, seeing, nvml.sysfs_root, Memory(node.health_file))
    async with connected(nats_url, name="discovery", patience_seconds=5) as bus:
        watch = Watch(nvml, kernel_of(nvml.sysfs_root))
        discovery = Discovery(bus, watch, checkup, look_every_seconds)
        running = asyncio.create_task(discovery.run())
        try:
            yield Running(discovery, nvml, watch)
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


def well(pool: PoolObserved) -> list[str]:
    """The devices that nothing is said against."""
    return [device.name for device in pool.devices if not device.taints]


def taints(pool: PoolObserved) -> dict[str, dict[str, tuple[str, str]]]:
    """Of each device that has any: key → value and effect."""
    return {
        device.name: {taint.key: (taint.value, taint.effect) for taint in device.taints}
        for device in pool.devices
        if device.taints
    }
