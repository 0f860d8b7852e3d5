"""What goes wrong between a publisher and Kubernetes, or in node-prep, wakes somebody: Prometheus judges."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from slicewire.common import health
from slicewire.common.bus.nats import NatsBus
from slicewire.common.bus.port import Declined
from slicewire.common.messages import INVENTORY, PREPARE, PrepareRequest
from slicewire.node_prep.metrics import PART as NODE_PREP
from slicewire.publisher.metrics import PART as PUBLISHER
from tests.alerts.prometheus import Prometheus, free_port, watching
from tests.component.node_prep.harness import Station, held, named
from tests.component.publisher.world import NODE, World, forget, gpus, publishing, running
from tests.kubeapi.examples import DRIVER
from tests.kubeapi.faults import Match, Refuse
from tests.kubeapi.server import serving
from tests.unit.node_prep.builders import NODE as NODE_NAME
from tests.unit.node_prep.builders import a_config

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@asynccontextmanager
async def a_world(bus: NatsBus) -> AsyncIterator[World]:
    async with serving() as api:
        world = World(bus, api)
        world.add_node()
        async with running(world.allocator.run()):
            yield world


@asynccontextmanager
async def looked_at(folder: Path) -> AsyncIterator[Prometheus]:
    """A publisher's port; whether there is a publisher behind it is another matter."""
    port = free_port()
    with health.serving(port, lambda: True, PUBLISHER):
        async with watching(folder / "prometheus", {"publisher": port}) as prometheus:
            yield prometheus


async def test_nobody_leads_until_a_publisher_does(bus: NatsBus, tmp_path: Path) -> None:
    async with a_world(bus) as world, looked_at(tmp_path) as prometheus:
        await prometheus.until_firing("SlicewireNoLeader")
        async with publishing(bus, world.api, tmp_path):
            await prometheus.until_quiet("SlicewireNoLeader")
        await prometheus.until_firing("SlicewireNoLeader")


async def test_an_api_that_refuses_conflicts_and_does_not_answer(bus: NatsBus, tmp_path: Path) -> None:
    async with (
        a_world(bus) as world,
        looked_at(tmp_path) as prometheus,
        publishing(bus, world.api, tmp_path),
    ):
        await prometheus.until_quiet("SlicewireNoLeader")
        slices = Match(verbs=("create",), resource="resourceslices")
        world.api.faults.inject(Refuse(409), slices, times=20)
        await world.tell_pool(gpus(2))
        await prometheus.until_firing("SlicewireKubernetesConflicts")
        world.api.faults.clear()
        world.api.faults.inject(Refuse(503), slices, times=20)
        await world.tell_pool(gpus(2), node="node-2", generation=2)
        world.add_node("node-2")
        await prometheus.until_firing("SlicewireKubernetesUnanswered")
        world.api.faults.clear()
        world.api.faults.inject(Refuse(422), slices)
        world.add_node("node-3")
        await world.tell_pool(gpus(2), node="node-3")
        await prometheus.until_firing("SlicewireKubernetesRefuses")


async def test_a_watch_that_is_refused_and_an_agent_that_takes_back_what_it_told(
    bus: NatsBus, tmp_path: Path
) -> None:
    async with a_world(bus) as world, looked_at(tmp_path) as prometheus:
        world.api.faults.inject(Refuse(500), Match(verbs=("watch",), resource="pods"), times=4)
        async with publishing(bus, world.api, tmp_path):
            found = await prometheus.until_firing("SlicewireWatchInterrupted")
            assert found["SlicewireWatchInterrupted"][0]["labels"]["kind"] == "pods"
            await world.tell_pool(gpus(2))
            await world.until(world.slices)
            await forget(bus, INVENTORY, NODE, DRIVER)
            await prometheus.until_firing("SlicewireAgentsSilent")
            await world.tell_pool(gpus(2), generation=2)
            await prometheus.until_quiet("SlicewireAgentsSilent")


async def test_claims_that_a_node_cannot_prepare(bus: NatsBus, nats_url: str, tmp_path: Path) -> None:
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="sw-") as folder, health.serving(port, lambda: True, NODE_PREP):
        station = Station(Path(folder), nats_url, bus)
        with closing(station.nvml):
            await station.author.tell_inventory()
            await station.author.tell_ledger(held(config=(a_config("Nonsense"),)), held("claim-2", "gpu-1"))
            async with (
                station.serving(with_kubelet=False),
                watching(tmp_path / "prometheus", {"node-prep": port}) as prometheus,
            ):
                await prometheus.until_seen(f'slicewire_node_prep_claims{{node="{NODE_NAME}"}} + 1')
                for uid in ("claim-1", "claim-1", "claim-1", "claim-2"):
                    answer = await bus.ask(PREPARE, PrepareRequest(claim=named(uid)), NODE_NAME)
                    assert isinstance(answer, Declined) is (uid == "claim-1")
                found = await prometheus.until_firing("SlicewirePreparationFails")
                assert found["SlicewirePreparationFails"][0]["labels"]["result"] == "config"
                await prometheus.until_seen('nvidia_dra_prepared_devices{device_type="gpu"} == 1')
                await prometheus.until_seen(
                    'nvidia_dra_requests_total{driver="gpu.nvidia.com",operation="prepare"} == 1'
                )
