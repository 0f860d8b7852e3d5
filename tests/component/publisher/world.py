"""A publisher at work between a small Kubernetes API and a real nats-server, and what the others would do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from slicewire.common.bus.port import Bus, CaughtUp, Heard, Write
from slicewire.common.messages import (
    ALLOCATION_LABEL,
    ANSWERS,
    CLAIMS,
    CLASSES,
    INVENTORY,
    NODES,
    SLICEWIRE,
    Channel,
    ClaimAnswered,
    ClaimObserved,
    ClaimRef,
    PoolObserved,
)
from slicewire.common.model import (
    AllocationResult,
    ClaimUID,
    CounterSet,
    Device,
    DeviceAttribute,
    DeviceName,
    DriverName,
    NodeName,
    PoolName,
    wire,
)
from slicewire.publisher import kube
from slicewire.publisher.service import DEFAULT_POLICY, Policy, Publisher
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
SECONDS = 10.0
GATE = {"name": ALLOCATION_LABEL}
MANAGED = {ALLOCATION_LABEL: "slicewire"}
_serial = count(1)


@asynccontextmanager
async def publishing(
    bus: Bus, api: KubeApi, folder: Path, policy: Policy = DEFAULT_POLICY
) -> AsyncIterator[Publisher]:
    kubeconfig = api.write_kubeconfig(folder / "kubeconfig.json")
    async with kube.connected(str(kubeconfig), "") as reached:
        publisher = Publisher(bus, reached, 4, policy=policy)
        async with running(publisher.run()):
            yield publisher


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Beside the block, until it ends."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def gpus(number: int, first: int = 0, **attributes: str) -> tuple[Device, ...]:
    made = {name: DeviceAttribute(string=value) for name, value in attributes.items()}
    return tuple(
        Device(
            name=DeviceName(f"gpu-{first + index}"), attributes={"model": DeviceAttribute(string="x"), **made}
        )
        for index in range(number)
    )


class StandInAllocator:
    """Answers claims that Slicewire decides, each time they are told, with the devices a test gives them."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._given: dict[ClaimUID, tuple[AllocationResult, NodeName]] = {}
        self._told: dict[ClaimUID, Heard[ClaimObserved]] = {}

    async def run(self) -> None:
        async for heard in self._bus.follow(CLAIMS):
            if not isinstance(heard, CaughtUp):
                uid = ClaimUID(heard.key[0])
                self._told[uid] = heard
                await self._answer(uid)

    async def give(self, uid: ClaimUID, allocation: AllocationResult, node: NodeName) -> None:
        self._given[uid] = allocation, node
        await self._answer(uid)

    async def take_back(self, uid: ClaimUID) -> None:
        del self._given[uid]
        await self._bus.commit([Write(ANSWERS, (uid,), None)])

    async def _answer(self, uid: ClaimUID) -> None:
        told, given = self._told.get(uid), self._given.get(uid)
        if told is None or told.fact is None or given is None:
            return
        if told.fact.decided_by == SLICEWIRE and told.fact.claim.status.allocation is None:
            allocation, node = given
            fact = ClaimAnswered(
                claim=ClaimRef(uid=uid), claim_sequence=told.sequence, allocation=allocation, node=node
            )
            await self._bus.tell(ANSWERS, fact)


class World:
    """What happens around the publisher: in Kubernetes, and on the bus."""

    def __init__(self, bus: Bus, api: KubeApi) -> None:
        self.bus = bus
        self.api = api
        self.store = api.store
        self.allocator = StandInAllocator(bus)

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
        answers: bool = False,
    ) -> None:
        pool = PoolObserved(
            node=NodeName(node),
            driver=DriverName(DRIVER),
            pool=PoolName(node),
            generation=generation,
            devices=devices,
            shared_counters=counters,
            answers=answers,
        )
        await self.bus.tell(INVENTORY, pool)

    async def answer(self, claim: Object, device: str = "gpu-0", node: str = NODE) -> None:
        """What the allocator answers, now and whenever the claim is told anew."""
        allocation = wire.convert(an_allocation(device, node), AllocationResult)
        await self.allocator.give(ClaimUID(claim["metadata"]["uid"]), allocation, NodeName(node))

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
