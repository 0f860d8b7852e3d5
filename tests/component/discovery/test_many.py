"""Many nodes in one process: each is told as if it were alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import msgspec
import pytest

from slicewire.common import health
from slicewire.common.bus.nats import NatsBus, connected
from slicewire.common.model import NodeName
from slicewire.common.nvml.simulated.statefile import StateFile
from slicewire.common.settings import BadSettings
from slicewire.discovery import many
from slicewire.discovery.__main__ import _discovery
from slicewire.discovery.settings import Settings
from tests.component.discovery.world import hears, latest

pytestmark = pytest.mark.slow

NODES = tuple(NodeName(f"node-{number:04}") for number in range(1, 7))


def settings(folder: Path, **more: str) -> Settings:
    plain = Settings(
        nodes=",".join(NODES),
        nvml_room="simulated",
        nvml_state=str(folder),
        nvml_gpus=2,
        look_every_seconds=600,
    )
    return msgspec.structs.replace(plain, **more)


@asynccontextmanager
async def serving(nats_url: str, folder: Path) -> AsyncIterator[health.Readiness]:
    readiness = health.Readiness()
    connect = partial(connected, nats_url, name="discovery", patience_seconds=5)
    build = partial(_discovery, "")
    running = asyncio.create_task(many.serve(settings(folder), connect, readiness, build))
    try:
        yield readiness
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def test_every_node_is_told_and_a_change_is_told_of_its_node_alone(
    bus: NatsBus, nats_url: str, tmp_path: Path
) -> None:
    async with serving(nats_url, tmp_path) as readiness:
        for node in NODES:
            await hears(bus, lambda pool: len(pool.devices) == 2, node)
        before = await latest(bus)
        StateFile(tmp_path / NODES[3] / "gpus.json").change(lambda state: state.without_gpu(1))
        pool = await hears(bus, lambda pool: pool.generation == 2, NODES[3])
        assert [bool(device.taints) for device in pool.devices] == [False, True]
        after = await latest(bus)
        assert {node for node in NODES if after[node] != before[node]} == {NODES[3]}
        assert readiness()


async def test_a_restart_that_sees_the_same_tells_nothing(
    bus: NatsBus, nats_url: str, tmp_path: Path
) -> None:
    async with serving(nats_url, tmp_path):
        for node in NODES:
            await hears(bus, lambda pool: True, node)
    before = await latest(bus)
    async with serving(nats_url, tmp_path) as readiness:
        async with asyncio.timeout(10):
            while not readiness():
                await asyncio.sleep(0.01)
        assert await latest(bus) == before


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"nodes": "a,,b"}, "SLICEWIRE_DISCOVERY_NODES='a,,b'"),
        ({"nodes": "a,b,a"}, "there twice"),
        ({"nvml_room": "real"}, "for simulated nodes"),
        ({"nvml_state": ""}, "for simulated nodes"),
        ({"health_file": "/h"}, "SLICEWIRE_DISCOVERY_HEALTH_FILE is of one node"),
        ({"names_file": "/n"}, "SLICEWIRE_DISCOVERY_NAMES_FILE is of one node"),
    ],
)
def test_what_cannot_be_said_of_many_nodes_is_refused(
    changed: dict[str, str], said: str, tmp_path: Path
) -> None:
    with pytest.raises(BadSettings, match=said):
        many.names(settings(tmp_path, **changed))


def test_a_node_among_many_has_the_settings_it_would_have_alone(tmp_path: Path) -> None:
    alone = many.of_node(settings(tmp_path), "node-0003")
    assert (alone.nodes, alone.node_name) == ("", "node-0003")
    assert alone.nvml.state == str(tmp_path / "node-0003" / "gpus.json")
