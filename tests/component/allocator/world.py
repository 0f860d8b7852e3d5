"""An allocator in this process, on a real bus, and what the others would tell it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import msgspec

from slicewire.allocator.service import Allocator
from slicewire.common.bus.nats import NatsBus, connected
from slicewire.common.bus.port import CaughtUp, Declined, Write
from slicewire.common.messages import (
    ALLOCATE,
    CLAIMS,
    CLASSES,
    EXPLAIN,
    INVENTORY,
    LEDGERS,
    RELEASE,
    SLICEWIRE,
    AllocateReply,
    AllocateRequest,
    ClaimAnswered,
    ClaimObserved,
    ClaimRef,
    ClassObserved,
    ExplainReply,
    ExplainRequest,
    LedgerEntry,
    LedgerWritten,
    PoolObserved,
    ReleaseRequest,
)
from slicewire.common.model import (
    AllocationResult,
    ClaimUID,
    Device,
    DeviceAttribute,
    DeviceClass,
    DeviceName,
    DriverName,
    NodeName,
    PoolName,
    ResourceClaim,
    wire,
)
from tests.past import History

T = TypeVar("T")
DRIVER = DriverName("gpu.nvidia.com")
CLASS = "gpu.nvidia.com"
SECONDS = 15.0


def pool(node: str = "node-a", gpus: int = 8, generation: int = 1) -> PoolObserved:
    device = {"type": DeviceAttribute(string="gpu")}
    return PoolObserved(
        node=NodeName(node),
        driver=DRIVER,
        pool=PoolName(node),
        generation=generation,
        devices=tuple(Device(name=DeviceName(f"gpu-{n}"), attributes=device) for n in range(gpus)),
    )


def claim(name: str, count: int = 1, *, uid: str = "", selector: str = "", of: str = CLASS) -> ResourceClaim:
    exactly: dict[str, Any] = {"deviceClassName": of, "count": count}
    if selector:
        exactly["selectors"] = [{"cel": {"expression": selector}}]
    return wire.strictly(
        {
            "metadata": {"name": name, "namespace": "default", "uid": uid or f"uid-{name}"},
            "spec": {"devices": {"requests": [{"name": "gpu", "exactly": exactly}]}},
        },
        ResourceClaim,
    )


def of_kubernetes(found: ResourceClaim, allocation: AllocationResult | None = None) -> ResourceClaim:
    """The claim as the publisher tells it."""
    meta = msgspec.structs.replace(found.metadata, creation_timestamp="2026-01-01T00:00:00Z")
    status = msgspec.structs.replace(found.status, allocation=allocation)
    return msgspec.structs.replace(found, metadata=meta, status=status)


def allocation(*devices: str, node: str = "node-a") -> AllocationResult:
    results = [{"request": "gpu", "driver": DRIVER, "pool": node, "device": device} for device in devices]
    return wire.convert({"devices": {"results": results}}, AllocationResult)


class World:
    """A bus with one class and one pool told, and what a test asks."""

    def __init__(self, bus: NatsBus) -> None:
        self.bus = bus

    async def begin(self, *pools: PoolObserved) -> None:
        expression = f"device.driver == '{DRIVER}'"
        spec = {"metadata": {"name": CLASS}, "spec": {"selectors": [{"cel": {"expression": expression}}]}}
        await self.bus.tell(CLASSES, ClassObserved(device_class=wire.convert(spec, DeviceClass)))
        for found in pools or (pool(),):
            await self.bus.tell(INVENTORY, found)

    async def allocate(self, *claims: ResourceClaim) -> tuple[ClaimAnswered, ...]:
        reply = await self.bus.ask(ALLOCATE, AllocateRequest(claims=claims))
        assert isinstance(reply, AllocateReply), reply
        return reply.answers

    async def declined(self, *claims: ResourceClaim) -> Declined:
        reply = await self.bus.ask(ALLOCATE, AllocateRequest(claims=claims))
        assert isinstance(reply, Declined), reply
        return reply

    async def release(self, uid: str) -> Any:
        return await self.bus.ask(RELEASE, ReleaseRequest(claim=ClaimRef(uid=ClaimUID(uid))))

    async def explain(self, uid: str) -> ExplainReply:
        reply = await self.bus.ask(EXPLAIN, ExplainRequest(claim=ClaimRef(uid=ClaimUID(uid))))
        assert isinstance(reply, ExplainReply), reply
        return reply

    async def show(
        self, found: ResourceClaim, decided_by: str = SLICEWIRE, together: tuple[str, ...] = ()
    ) -> None:
        """As the publisher would, seeing the claim in Kubernetes."""
        uids = tuple(ClaimUID(uid) for uid in together)
        await self.bus.tell(CLAIMS, ClaimObserved(claim=found, decided_by=decided_by, together=uids))

    async def lose(self, uid: str) -> None:
        await self.bus.commit([Write(CLAIMS, (uid,), None)])

    async def now(self, channel: Any) -> dict[tuple[str, ...], Any]:
        found = {}
        async for heard in self.bus.follow(channel):
            if isinstance(heard, CaughtUp):
                break
            if heard.fact is not None:
                found[heard.key] = heard.fact
        return found

    async def ledger(self, node: str = "node-a") -> LedgerWritten | None:
        found: LedgerWritten | None = (await self.now(LEDGERS)).get((node, DRIVER))
        return found

    async def entries(self) -> dict[str, LedgerEntry]:
        """What each claim holds, by UID."""
        return {
            entry.claim.uid: entry for fact in (await self.now(LEDGERS)).values() for entry in fact.entries
        }

    async def held(self) -> dict[str, list[str]]:
        return {
            uid: [f"{result.pool}/{result.device}" for result in entry.results]
            for uid, entry in (await self.entries()).items()
        }


async def until(look: Callable[[], Awaitable[T]], enough: Callable[[T], bool]) -> T:
    """Look until it is so."""
    async with asyncio.timeout(SECONDS):
        while not enough(found := await look()):
            await asyncio.sleep(0.01)
        return found


@asynccontextmanager
async def allocating(url: str, name: str = "allocator-1") -> AsyncIterator[Allocator]:
    """An allocator that has caught up."""
    async with connected(url, name=name, patience_seconds=5) as bus:
        allocator = Allocator(bus, SLICEWIRE)
        task = asyncio.create_task(allocator.run())
        try:
            await until(_ready(allocator), bool)
            yield allocator
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def remembered(bus: NatsBus, url: str, history: History) -> AsyncIterator[World]:
    """A world with an allocator; what it tells first is in the history before anything changes."""
    world = World(bus)
    await world.begin()
    await history.of(INVENTORY, "node-a", DRIVER)
    async with allocating(url):
        yield world


def _ready(allocator: Allocator) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return allocator.is_ready()

    return look
