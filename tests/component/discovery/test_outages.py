"""Whatever dies, the stream ends up with what is true, told once."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from slicewire.client.local.broker import Broker
from slicewire.common.bus.nats import NatsBus, connected
from slicewire.common.bus.port import Write
from slicewire.common.messages import INVENTORY
from slicewire.common.model.naming import NVIDIA_DRIVER
from slicewire.common.nvml.simulated.watching import FolderWatch
from tests.component.discovery.world import NODE, SimulatedNode, discovering, hears, latest, taints, well

pytestmark = pytest.mark.slow


@pytest.fixture
def node(tmp_path: Path) -> SimulatedNode:
    return SimulatedNode(tmp_path)


async def test_a_restart_that_sees_the_same_tells_nothing(
    bus: NatsBus, nats_url: str, node: SimulatedNode
) -> None:
    async with discovering(nats_url, node):
        await hears(bus, lambda pool: True)
    before = await latest(bus)
    async with discovering(nats_url, node) as again:
        await again.nvml.settled()
        assert again.discovery.is_ready()
        assert await latest(bus) == before


async def test_a_restart_that_sees_something_else_goes_on_counting(
    bus: NatsBus, nats_url: str, node: SimulatedNode
) -> None:
    async with discovering(nats_url, node):
        await hears(bus, lambda pool: True)
    node.change(lambda state: state.without_gpu(1))
    async with discovering(nats_url, node):
        pool = await hears(bus, lambda pool: len(well(pool)) == 3)
        assert pool.generation == 2


async def test_what_changed_while_the_bus_was_away_is_told_when_it_is_back(
    broker: Broker, bus: NatsBus, node: SimulatedNode
) -> None:
    async with discovering(broker.url, node):
        await hears(bus, lambda pool: True)
        await broker.kill()
        node.change(lambda state: state.without_gpu(0))
        await broker.start()
        pool = await hears(bus, lambda pool: len(well(pool)) == 3)
        assert pool.generation == 2


async def test_what_befell_a_gpu_while_the_bus_was_away_outlives_the_agent(
    broker: Broker, bus: NatsBus, node: SimulatedNode
) -> None:
    assert node.health_file is not None
    file, changes = node.health_file, FolderWatch(node.health_file.parent)
    async with discovering(broker.url, node):
        await hears(bus, lambda pool: True)
        await broker.kill()
        node.befalls(0, "xid=94")
        async with asyncio.timeout(10):
            while '"94"' not in file.read_text():
                await asyncio.to_thread(changes.wait, 1)
    await broker.start()
    async with discovering(broker.url, node):
        pool = await hears(bus, lambda pool: bool(taints(pool)))
        assert taints(pool).keys() == {"gpu-0"}


async def test_a_stream_that_forgot_the_pool_is_told_again(
    bus: NatsBus, nats_url: str, node: SimulatedNode
) -> None:
    async with discovering(nats_url, node, look_every_seconds=0.05):
        await hears(bus, lambda pool: pool.generation == 1)
        await bus.commit([Write(INVENTORY, (NODE, NVIDIA_DRIVER), None)])
        pool = await hears(bus, lambda pool: pool.generation == 2)
        assert len(pool.devices) == 4


async def test_a_broker_that_lost_its_disk_is_told_again(
    broker: Broker, bus: NatsBus, node: SimulatedNode, tmp_path: Path
) -> None:
    async with discovering(broker.url, node, look_every_seconds=0.05):
        await hears(bus, lambda pool: True)
        await broker.kill()
        shutil.rmtree(tmp_path / "nats" / "jetstream")
        await broker.start()
        async with connected(broker.url, name="newcomer", patience_seconds=5) as another:
            pool = await hears(another, lambda pool: True)
            assert (pool.generation, len(pool.devices)) == (2, 4)


async def test_the_command_serves_and_a_clean_stop_exits_0(
    bus: NatsBus, nats_url: str, node: SimulatedNode
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "slicewire.discovery"),
        env={
            "PATH": os.environ["PATH"],
            "SLICEWIRE_NATS_URL": nats_url,
            "SLICEWIRE_NODE_NAME": NODE,
            "SLICEWIRE_DISCOVERY_NVML_ROOM": "simulated",
            "SLICEWIRE_DISCOVERY_NVML_STATE": str(node.path),
        },
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    async with asyncio.timeout(10):
        said = await process.stderr.readuntil(b'"event":"inventory told"')
        process.send_signal(signal.SIGTERM)
        said += (await process.communicate())[1]
    assert process.returncode == 0, said.decode()
    assert len((await latest(bus))[NODE][1].devices) == 4
