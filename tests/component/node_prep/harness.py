"""One node: simulated GPUs, real files, a kubelet's socket, a real bus, and its service in this process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from slicewire.common.bus.nats import NatsBus, connected
from slicewire.common.bus.port import Bus, CaughtUp, Heard
from slicewire.common.messages import (
    INVENTORY,
    LEDGERS,
    PREPARED,
    ClaimPrepared,
    ClaimRef,
    Conflict,
    LedgerEntry,
    LedgerWritten,
    PoolObserved,
    Unreadable,
)
from slicewire.common.model import (
    ClaimName,
    ClaimUID,
    DeviceAllocationConfiguration,
    DeviceTaint,
    Namespace,
    TraceParent,
)
from slicewire.common.nvml.facts import NodeFacts
from slicewire.common.nvml.port import NvmlControl
from slicewire.common.nvml.rooms import NvmlSettings, open_nvml
from slicewire.node_prep import files, kubelet
from slicewire.node_prep.allocations import Allocations, ClaimSource
from slicewire.node_prep.boot import boot_id
from slicewire.node_prep.core import cdi
from slicewire.node_prep.core.entry import Asker
from slicewire.node_prep.core.node import Node
from slicewire.node_prep.driverroot import DriverRoot
from slicewire.node_prep.executors import Executors, MpsHere, executors
from slicewire.node_prep.hearing import Hearing
from slicewire.node_prep.journal import Journal
from slicewire.node_prep.lastinventory import INVENTORY_FILE, LastInventory
from slicewire.node_prep.metadatafiles import MetadataFiles
from slicewire.node_prep.preparation import Preparation
from slicewire.node_prep.service import NodePrep
from slicewire.node_prep.turns import Turns
from slicewire.node_prep.upkeep import Upkeep
from slicewire.node_prep.watch import HealthWatch, Rhythm
from tests.kubelet.client import AskedClaim, Kubelet, Plugin
from tests.unit.node_prep.builders import DRIVER, NODE, POOL, a_device, a_result

Connect = Callable[[], AbstractAsyncContextManager[Bus]]
SOON_SECONDS = 10.0
GPUS = 4


def asked(uid: str = "claim-1", name: str = "") -> AskedClaim:
    """The kubelet's side of `held`."""
    return AskedClaim(uid=uid, name=name or f"named-{uid}")


def named(uid: str = "claim-1", name: str = "") -> ClaimRef:
    return ClaimRef(uid=ClaimUID(uid), namespace=Namespace("default"), name=ClaimName(name or f"named-{uid}"))


def held(
    uid: str = "claim-1",
    *devices: str,
    config: tuple[DeviceAllocationConfiguration, ...] = (),
    trace: str = "",
    **more: Any,
) -> LedgerEntry:
    results = tuple(a_result(device, **more) for device in devices or ("gpu-0",))
    return LedgerEntry(claim=named(uid), results=results, config=config, trace=TraceParent(trace))


class Disk:
    """Where a node keeps what, and what is there now."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "gpus" / "state.json"
        self.plugin_dir = folder / "plugin"
        self.registry_dir = folder / "registry"
        self.cdi_root = folder / "cdi"
        self.checkpoint = self.plugin_dir / "checkpoint.json"
        self.inventory = self.plugin_dir / INVENTORY_FILE
        self.mps = MpsHere(root=self.plugin_dir / "mps")

    @property
    def cdi_files(self) -> tuple[str, ...]:
        return files.names(self.cdi_root)

    def cdi_file(self, uid: str) -> Path:
        return self.cdi_root / cdi.file_name(ClaimUID(uid))

    @property
    def entries(self) -> dict[str, Any]:
        """The checkpoint's claims, as any JSON tool reads them: a later line counts."""
        lines = [json.loads(line) for line in self.checkpoint.read_bytes().splitlines()]
        claims = {uid: entry for line in lines for uid, entry in line["claims"].items()}
        return {uid: entry for uid, entry in claims.items() if entry is not None}

    def open_nvml(self) -> NvmlControl:
        return open_nvml(NvmlSettings(room="simulated", state=str(self.state), gpus=GPUS, node=NODE))

    def executors(self, nvml: NvmlControl) -> Executors:
        metadata = MetadataFiles(DRIVER, self.plugin_dir, self.cdi_root)
        return executors(nvml, DriverRoot(nvml), self.cdi_root, self.mps, metadata=metadata)


class Author:
    """Discovery and the allocator, as far as this node hears of them."""

    def __init__(self, bus: Bus, nvml: NvmlControl) -> None:
        self._bus = bus
        self._nvml = nvml

    async def tell_inventory(
        self, *unreadable: Unreadable, taints: Mapping[str, tuple[DeviceTaint, ...]] | None = None
    ) -> None:
        facts = await asyncio.to_thread(self._nvml.look)
        assert isinstance(facts, NodeFacts)
        devices = tuple(
            msgspec.structs.replace(
                a_device(f"gpu-{gpu.minor}", type="gpu", uuid=gpu.uuid),
                taints=(taints or {}).get(f"gpu-{gpu.minor}", ()),
            )
            for gpu in facts.gpus
        )
        pool = PoolObserved(
            node=NODE, driver=DRIVER, pool=POOL, generation=1, devices=devices, unreadable=unreadable
        )
        await self._bus.tell(INVENTORY, pool)

    async def tell_ledger(self, *entries: LedgerEntry, conflicts: tuple[Conflict, ...] = ()) -> None:
        ledger = LedgerWritten(node=NODE, driver=DRIVER, entries=entries, conflicts=conflicts)
        await self._bus.tell(LEDGERS, ledger)


class Wanted(msgspec.Struct, frozen=True):
    """How the service is to be."""

    with_kubelet: bool = True
    ledger_wait_seconds: float = 0.2
    instance: str = ""
    claim_source: ClaimSource | None = None
    rhythm: Rhythm = Rhythm()
    preparation: Preparation | None = None
    describes: bool = False


class Service:
    """The service as `__main__` puts it together."""

    def __init__(self, disk: Disk, nvml: NvmlControl, wanted: Wanted) -> None:
        turns = Turns(disk.plugin_dir)
        self.hearing = Hearing(NODE, DRIVER, turns.was_last_ours)
        self.preparation = wanted.preparation or _preparation(disk, nvml)
        allocations = Allocations(self.hearing, wanted.ledger_wait_seconds, wanted.claim_source)
        self.node_prep = NodePrep(
            self.hearing, self.preparation, turns, allocations, describes=wanted.describes
        )
        heir = Asker.KUBELET if wanted.with_kubelet else Asker.BUS
        inventory = LastInventory(self.hearing, disk.inventory) if wanted.claim_source else None
        self.upkeep = Upkeep(self.node_prep, self.hearing, self.preparation, heir, inventory)
        sockets = kubelet.sockets(DRIVER, disk.plugin_dir, disk.registry_dir, wanted.instance)
        watch = HealthWatch(self.hearing, wanted.rhythm)
        asked = kubelet.Asked(self.node_prep, watch, self.upkeep.is_ready)
        doors = kubelet.serving(asked, DRIVER, sockets) if wanted.with_kubelet else nullcontext()
        self._task: asyncio.Future[None]
        self._doors = self.node_prep.answering(doors)

    @asynccontextmanager
    async def running(self, connect: Connect, ready: bool = True) -> AsyncIterator[Service]:
        task = self._task = asyncio.ensure_future(self.upkeep.run(connect, self._doors))
        try:
            if ready:
                async with asyncio.timeout(SOON_SECONDS):
                    waiting = asyncio.ensure_future(self._until_ready())
                    await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
                    waiting.cancel()
                    assert self.upkeep.is_ready(), task.exception()
            yield self
        finally:
            task.cancel()
            await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()):
            raise error

    async def _until_ready(self) -> None:
        seen = 0
        while not self.upkeep.is_ready():
            seen = await self.hearing.next_change(seen)

    async def stopped(self) -> None:
        """Until it has stopped by itself."""
        await asyncio.wait([self._task], timeout=SOON_SECONDS)

    async def hears(self, entry: LedgerEntry) -> None:
        """Until the ledger, as heard, has this entry."""

        def has_it(node: Node) -> bool:
            allocation = node.allocation(entry.claim.uid)
            return allocation is not None and allocation.results == entry.results

        await self.hearing.wait_for(has_it, SOON_SECONDS)
        assert has_it(self.hearing.node)

    async def until_gone(self, path: Path) -> None:
        async with asyncio.timeout(SOON_SECONDS):
            seen = 0
            while path.exists():
                seen = await self.hearing.next_change(seen, at_most_seconds=0.1)

    async def until_stands(self, uid: str, prepared: bool) -> None:
        """Until the claim is, or is not, in the checkpoint, as told by changes and not by the clock."""
        async with asyncio.timeout(SOON_SECONDS):
            seen = 0
            while (self.preparation.checkpoint.completed(ClaimUID(uid)) is not None) is not prepared:
                seen = await self.hearing.next_change(seen)


def _preparation(disk: Disk, nvml: NvmlControl) -> Preparation:
    journal = Journal(disk.checkpoint, boot_id(nvml.sysfs_root))
    return Preparation(journal, disk.executors(nvml), disk.cdi_root)


class Station:
    """A node with everything around it. Its service can be started again and again."""

    def __init__(self, folder: Path, nats_url: str, bus: NatsBus) -> None:
        self.disk = Disk(folder)
        self.nvml = self.disk.open_nvml()
        self.author = Author(bus, self.nvml)
        self.nats_url = nats_url
        self.bus = bus

    @asynccontextmanager
    async def serving(self, *, ready: bool = True, **wanted: Any) -> AsyncIterator[Service]:
        """`wanted` as the fields of `Wanted`."""
        service = Service(self.disk, self.nvml, Wanted(**wanted))
        connect = partial(connected, self.nats_url, name="node-prep-test")
        async with service.running(connect, ready):
            yield service

    @asynccontextmanager
    async def kubelet(self, **serving: Any) -> AsyncIterator[Plugin]:
        """The service, and a kubelet that has registered it."""
        async with self.serving(**serving), Kubelet(self.disk.registry_dir).registered(DRIVER) as plugin:
            yield plugin

    async def told(self, uid: str, wanted: ClaimPrepared | None) -> None:
        """Until the bus says this of the claim."""
        said: ClaimPrepared | None = None
        caught_up = False
        async with asyncio.timeout(SOON_SECONDS):
            async for heard in self.bus.follow(PREPARED.under(NODE, ClaimUID(uid))):
                match heard:
                    case CaughtUp():
                        caught_up = True
                    case Heard():
                        said = heard.fact
                if caught_up and said == wanted:
                    return

    async def say_wrongly(self, uid: str) -> None:
        await self.bus.tell(PREPARED, ClaimPrepared(node=NODE, claim=named(uid), error="not true"))
