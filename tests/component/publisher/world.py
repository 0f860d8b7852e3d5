"""A publisher at work between a small Kubernetes API and a real nats-server, and what the others would do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from slicewire.common.bus.port import Bus, CaughtUp, Write
from slicewire.common.messages import (
    ALLOCATION_LABEL,
    ANSWERS,
    CLAIMS,
    CLASSES,
    INVENTORY,
    NODES,
    Channel,
    ClaimAnswered,
    ClaimRef,
    PoolObserved,
)
from slicewire.common.model import (
    AllocationResult,
    ClaimName,
    ClaimUID,
    CounterSet,
    Device,
    DeviceAttribute,
    DeviceName,
    DriverName,
    Namespace,
    NodeName,
    PoolName,
    wire,
)
from slicewire.publisher import kube
from slicewire.publisher.service import Publisher
from tests.kubeapi import kinds
from tests.kubeapi.examples import DRIVER, a_claim, a_node, a_pod, an_allocation
from tests.kubeapi.faults import WRITES, Call
from tests.kubeapi.feed import Feed
from tests.kubeapi.kinds import Kind
from tests.kubeapi.server import KubeApi
from tests.kubeapi.targets import Target

T = TypeVar("T")
Object = dict[str, Any]
NODE = "node-1"
SECONDS = 15.0
GATE = {"name": ALLOCATION_LABEL}
MANAGED = {ALLOCATION_LABEL: "slicewire"}
_serial = count(1)


@asynccontextmanager
async def publishing(bus: Bus, api: KubeApi, folder: Path, workers: int = 4) -> AsyncIterator[Publisher]:
    kubeconfig = api.write_kubeconfig(folder / "kubeconfig.json")
    async with kube.connected(str(kubeconfig), "") as reached:
        publisher = Publisher(bus, reached, workers)
        running = asyncio.create_task(publisher.run())
        try:
            yield publisher
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


def gpus(number: int, first: int = 0, **attributes: str) -> tuple[Device, ...]:
    made = {name: DeviceAttribute(string=value) for name, value in attributes.items()}
    return tuple(
        Device(
            name=DeviceName(f"gpu-{first + index}"), attributes={"model": DeviceAttribute(string="x"), **made}
        )
        for index in range(number)
    )


class World:
    """What happens around the publisher: in Kubernetes, and on the bus."""

    def __init__(self, bus: Bus, api: KubeApi) -> None:
        self.bus = bus
        self.api = api
        self.store = api.store

    # In Kubernetes.

    def create(self, kind: Kind, document: Object) -> Object:
        namespace = "default" if kind.namespaced else ""
        return dict(self.store.create(Target(kind, namespace), document))

    def add_node(self, name: str = NODE, labels: dict[str, str] | None = None) -> Object:
        return self.create(kinds.NODES, a_node(name, **(labels or {})))

    def add_gated_pod(self, name: str = "pod-1", claims: Iterable[Object] = (), **spec: Any) -> Object:
        return self.create(kinds.PODS, a_pod(name, claims, schedulingGates=[GATE], **spec))

    def change(
        self, kind: Kind, name: str, change: Callable[[Object], object], subresource: str = ""
    ) -> None:
        """Somebody else edits the object in place."""
        namespace = "default" if kind.namespaced else ""
        edited = wire.decode(wire.encode(self.get(kind, name)), dict[str, Any])
        change(edited)
        self.store.update(Target(kind, namespace, name, subresource), edited)

    def delete(self, kind: Kind, name: str) -> None:
        self.store.delete(Target(kind, "default" if kind.namespaced else "", name))

    def get(self, kind: Kind, name: str) -> Object:
        return dict(self.store.get(Target(kind, "default" if kind.namespaced else "", name)))

    def slices(self, node: str = NODE) -> list[Object]:
        found = (dict(each) for each in self.store.all(kinds.SLICES))
        of_node = (each for each in found if each["spec"].get("nodeName") == node)
        return sorted(of_node, key=lambda each: str(each["metadata"]["name"]))

    def device_names(self, node: str = NODE) -> list[list[str]]:
        """By slice, of our driver."""
        ours = [found["spec"] for found in self.slices(node) if found["spec"]["driver"] == DRIVER]
        return [[each["name"] for each in spec.get("devices", ())] for spec in ours]

    def writes(self) -> list[Call]:
        """What the publisher has asked the API to change; all other writers go to the store."""
        return [call for call in self.api.calls if WRITES.hits(call)]

    async def until(self, wanted: Callable[[], T | None]) -> T:
        """What is wanted of the store, as soon as it is true of it."""
        with Feed(self.store.history) as feed:
            async with asyncio.timeout(SECONDS):
                while not (found := wanted()):
                    await feed.take()
                return found

    # On the bus.

    async def tell_pool(
        self,
        devices: tuple[Device, ...] = (),
        node: str = NODE,
        counters: tuple[CounterSet, ...] = (),
        generation: int = 1,
    ) -> None:
        pool = PoolObserved(
            node=NodeName(node),
            driver=DriverName(DRIVER),
            pool=PoolName(node),
            generation=generation,
            devices=devices,
            shared_counters=counters,
        )
        await self.bus.tell(INVENTORY, pool)

    async def answer(self, claim: Object, device: str = "gpu-0", node: str = NODE) -> None:
        """What the allocator would tell of this claim."""
        metadata = claim["metadata"]
        fact = ClaimAnswered(
            claim=ClaimRef(
                uid=ClaimUID(metadata["uid"]),
                namespace=Namespace(metadata["namespace"]),
                name=ClaimName(metadata["name"]),
            ),
            allocation=wire.convert(an_allocation(device, node), AllocationResult),
            node=NodeName(node),
        )
        await self.bus.tell(ANSWERS, fact)

    async def hears(self, channel: Channel[Any], key: str, wanted: Callable[[Any], object]) -> Any:
        """The first fact under this key that is as wanted; None when it is the key's end that is."""
        async with asyncio.timeout(SECONDS):
            async for heard in self.bus.follow(channel):
                if not isinstance(heard, CaughtUp) and heard.key == (key,) and wanted(heard.fact):
                    return heard.fact
        raise AssertionError("following never ends")

    async def latest(self, channel: Channel[Any]) -> dict[str, tuple[int, Any]]:
        """What the stream holds now: key → sequence and fact."""
        found: dict[str, tuple[int, Any]] = {}
        async for heard in self.bus.follow(channel):
            if isinstance(heard, CaughtUp):
                return found
            if heard.fact is not None:
                found[heard.key[0]] = heard.sequence, heard.fact
        raise AssertionError("following never ends")

    async def settled(self) -> None:
        """Everything that happened before has been looked at: what was added last, on every way in, is
        done."""
        name = f"fence-{next(_serial)}"
        self.add_node(name)
        claim = self.create(kinds.CLAIMS, a_claim(name))
        self.create(kinds.DEVICE_CLASSES, {"metadata": {"name": name}, "spec": {}})
        self.add_gated_pod(name)
        await self.tell_pool(node=name)
        await self.until(lambda: self.slices(name))
        await self.until(lambda: not self.get(kinds.PODS, name)["spec"].get("schedulingGates"))
        await self.hears(NODES, name, bool)
        await self.hears(CLASSES, name, bool)
        await self.hears(CLAIMS, claim["metadata"]["uid"], bool)

    def writes_about(self, resource: str, *names: str) -> list[tuple[str, str]]:
        """Verb and subresource of the publisher's writes to these objects, in order."""
        return [
            (call.verb, call.subresource)
            for call in self.writes()
            if call.resource == resource and (call.name in names or not names)
        ]


async def forget(bus: Bus, channel: Channel[Any], *key: str) -> None:
    await bus.commit([Write(channel, key, None)])
