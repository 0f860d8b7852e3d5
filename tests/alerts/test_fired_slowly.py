"""What takes long, or is in another's way, wakes somebody: real parts, and a real Prometheus that judges."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from slicewire.allocator.metrics import PART as ALLOCATOR
from slicewire.allocator.service import Allocator
from slicewire.client.local.broker import Broker
from slicewire.common import health
from slicewire.common.bus.nats import NatsBus
from slicewire.common.bus.port import Bus, Committed, Stale, Write
from slicewire.common.bus.shared import ThroughBus
from slicewire.common.messages import LEDGERS, SLICEWIRE, LedgerWritten
from slicewire.common.nvml.facts import Process
from slicewire.common.nvml.simulated.fleet import STATE_FILE
from slicewire.node_prep import metrics as node_prep
from tests.alerts.prometheus import Prometheus, free_port, watching
from tests.alerts.test_fired import a_part
from tests.component.allocator.world import World, claim, of_kubernetes
from tests.component.node_prep.workbench import Workbench
from tests.component.publisher.world import running
from tests.unit.node_prep.builders import a_claim, a_node

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
SLOW_SECONDS = 1.5


class Outrun(ThroughBus):
    """A bus on which somebody else is always a moment faster."""

    async def commit(self, writes: Sequence[Write]) -> Committed | Stale:
        for write in writes:
            if isinstance(write.fact, LedgerWritten):
                await super().commit(
                    [Write(LEDGERS, write.key, LedgerWritten(write.fact.node, write.fact.driver))]
                )
        return await super().commit(writes)


class Slow(ThroughBus):
    """A bus whose disks take their time."""

    async def commit(self, writes: Sequence[Write]) -> Committed | Stale:
        await asyncio.sleep(SLOW_SECONDS)
        return await super().commit(writes)


@asynccontextmanager
async def an_allocator(bus: Bus, folder: Path) -> AsyncIterator[Prometheus]:
    """At work on this bus, and looked at."""
    allocator, port = Allocator(bus, SLICEWIRE), free_port()
    with health.serving(port, allocator.is_ready, ALLOCATOR):
        async with (
            running(allocator.run()),
            watching(folder / "prometheus", {"allocator": port}) as prometheus,
        ):
            await prometheus.until_seen('slicewire_ready{part="allocator"}')
            yield prometheus


async def test_a_bus_whose_disks_are_slow(bus: NatsBus, tmp_path: Path) -> None:
    world = World(bus)
    await world.begin()
    async with an_allocator(Slow(bus), tmp_path) as prometheus:
        (answer,) = await world.allocate(claim("late"))
        assert answer.allocation is not None
        await prometheus.until_firing("SlicewireAllocationSlow")


async def test_an_allocator_that_others_outrun(bus: NatsBus, tmp_path: Path) -> None:
    world = World(bus)
    await world.begin()
    async with an_allocator(Outrun(bus), tmp_path) as prometheus:
        await world.show(of_kubernetes(claim("unlucky")))
        await prometheus.until_firing("SlicewireAllocatorsCollide")


async def test_a_node_that_is_not_looked_at(broker: Broker, tmp_path: Path) -> None:
    own = {
        "SLICEWIRE_DISCOVERY_NVML_ROOM": "simulated",
        "SLICEWIRE_DISCOVERY_NVML_STATE": str(tmp_path / STATE_FILE),
        "SLICEWIRE_DISCOVERY_LOOK_EVERY_SECONDS": "600",
    }
    async with (
        a_part("discovery", broker.url, **own) as (_, port),
        watching(tmp_path / "prometheus", {"discovery": port}) as prometheus,
    ):
        await prometheus.until_firing("SlicewireDiscoveryStuck")


async def test_a_claim_that_is_over_and_whose_partition_is_in_use(tmp_path: Path) -> None:
    bench, port = Workbench(tmp_path), free_port()
    with closing(bench.nvml), health.serving(port, lambda: True, node_prep.PART):
        async with (
            node_prep.shown(a_node(), bench.preparation),
            watching(tmp_path / "prometheus", {"node-prep": port}) as prometheus,
        ):
            await bench.prepared(bench.part(0))
            await prometheus.until_seen('nvidia_dra_prepared_devices{device_type="mig"} == 1')
            mig = bench.gpu().mig
            assert mig is not None
            user = Process(pid=7, gpu_instance=mig.instances[0].id, compute_instance=0)
            bench.state.change(lambda state: state.with_changed(0, processes=(user,)))
            assert await bench.preparation.remove(a_claim().uid) is not None
            await prometheus.until_firing("SlicewireClaimsNotUndone")
            bench.state.change(lambda state: state.with_changed(0, processes=()))
            assert await bench.preparation.remove(a_claim().uid) is None
            await prometheus.until_quiet("SlicewireClaimsNotUndone")
