"""Every service as a process of its own, looked at by Prometheus and by those who mean no good."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from slicewire.client.local.broker import Broker
from slicewire.common.bus.nats import NatsBus
from slicewire.common.nvml.simulated.fleet import STATE_FILE
from tests.component.allocator.world import World, claim

pytestmark = pytest.mark.slow
SECONDS = 20.0
SECRET = "hunter2"


class Part:
    """One service, and its port."""

    def __init__(
        self, process: asyncio.subprocess.Process, port: int, session: aiohttp.ClientSession
    ) -> None:
        self.process = process
        self.port = port
        self._session = session

    async def get(self, path: str) -> tuple[int, str]:
        async with self._session.get(f"http://127.0.0.1:{self.port}{path}") as answer:
            return answer.status, await answer.text()

    async def until(self, path: str, status: int) -> None:
        async with asyncio.timeout(SECONDS):
            while True:
                try:
                    if (await self.get(path))[0] == status:
                        return
                except aiohttp.ClientError:
                    assert self.process.returncode is None, "it has ended"
                await asyncio.sleep(0.05)

    async def samples(self) -> dict[str, list[tuple[dict[str, str], float]]]:
        _, text = await self.get("/metrics")
        found: dict[str, list[tuple[dict[str, str], float]]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found.setdefault(sample.name, []).append((sample.labels, sample.value))
        return found


@asynccontextmanager
async def a_part(name: str, nats_url: str, folder: Path, **own: str) -> AsyncIterator[Part]:
    """Discovery and node-prep with two simulated GPUs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    prefix = f"SLICEWIRE_{name.upper().replace('-', '_')}"
    node = {
        f"{prefix}_NVML_ROOM": "simulated",
        f"{prefix}_NVML_STATE": str(folder / STATE_FILE),
        f"{prefix}_NVML_GPUS": "2",
    }
    places = {
        f"{prefix}_{place}": str(folder / place.lower())
        for place in ("PLUGIN_DIR", "REGISTRY_DIR", "CDI_ROOT")
    }
    environ = {
        **os.environ,
        "SLICEWIRE_NATS_URL": nats_url,
        "SLICEWIRE_NODE_NAME": "node-a",
        "SLICEWIRE_HEALTH_PORT": str(port),
        **(node if name in {"discovery", "node-prep"} else {}),
        **({**places, f"{prefix}_KUBELET": "false"} if name == "node-prep" else {}),
        **own,
    }
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            Path(sys.executable).parent / f"slicewire-{name}", env=environ, stderr=log
        )
    try:
        async with aiohttp.ClientSession() as session:
            yield Part(process, port, session)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


async def test_a_discovery_says_what_it_sees(broker: Broker, tmp_path: Path) -> None:
    async with a_part("discovery", broker.url, tmp_path) as part:
        await part.until("/readyz", 200)
        found = await part.samples()
    assert found["slicewire_ready"] == [({"part": "discovery"}, 1)]
    assert found["slicewire_bus_connected"] == [({"part": "discovery"}, 1)]
    of_node = {"part": "discovery", "node": "node-a"}
    assert ({**of_node, "state": "healthy"}, 2) in found["slicewire_discovery_devices"]
    assert ({**of_node, "state": "tainted"}, 0) in found["slicewire_discovery_devices"]
    assert ({"part": "discovery", "kind": "inventory"}, 1) in found["slicewire_facts_told_total"]
    assert found["slicewire_discovery_look_seconds_count"][0][1] >= 1


async def test_an_allocator_says_what_it_decided(bus: NatsBus, broker: Broker, tmp_path: Path) -> None:
    world = World(bus)
    await world.begin()
    async with a_part("allocator", broker.url, tmp_path) as part:
        await part.until("/readyz", 200)
        await world.allocate(claim("fits", 2))
        await world.allocate(claim("too-large", 9))
        found = await part.samples()
    own = {"part": "allocator"}
    states = {labels["state"]: number for labels, number in found["slicewire_allocator_devices"]}
    assert states == {"healthy": 8, "tainted": 0, "allocated": 2}
    assert ({**own, "outcome": "allocated"}, 1) in found["slicewire_allocator_answers_total"]
    assert ({**own, "outcome": "refused"}, 1) in found["slicewire_allocator_answers_total"]
    assert ({**own, "outcome": "kept"}, 2) in found["slicewire_allocator_commits_total"]
    assert found["slicewire_allocator_waiting_claims"] == [(own, 1)]
    assert found["slicewire_allocator_allocation_seconds_count"] == [(own, 2)]
    steps = {labels["step"]: number for labels, number in found["slicewire_allocator_step_seconds_count"]}
    assert steps["commit"] == 2
    assert min(steps["queue"], steps["decide"]) >= 2, "what waits is looked at again, and nothing is written"
    assert ({**own, "endpoint": "allocate", "code": "200"}, 2) in found["slicewire_answers_total"]
    assert sum(number for labels, number in found["slicewire_allocator_refusals_total"]) >= 1


async def test_a_node_prep_has_the_names_of_nvidias_driver_from_the_start(broker: Broker) -> None:
    with tempfile.TemporaryDirectory(prefix="sw-") as place:  # the path of a socket has room for 107 bytes
        await check_the_names_of_nvidias_driver(broker, Path(place))


async def check_the_names_of_nvidias_driver(broker: Broker, place: Path) -> None:
    async with a_part("node-prep", broker.url, place) as part:
        await part.until("/readyz", 200)
        found = await part.samples()
    driver = {"driver": "gpu.nvidia.com"}
    for name in ("requests_total", "requests_inflight", "request_duration_seconds_count"):
        assert found[f"nvidia_dra_{name}"] == [
            ({**driver, "operation": "prepare"}, 0),
            ({**driver, "operation": "unprepare"}, 0),
        ]
    assert found["nvidia_dra_prepared_devices"] == [
        ({"node": "node-a", **driver, "device_type": kind}, 0) for kind in ("gpu", "mig", "vfio")
    ]


async def test_those_who_hold_connections_hold_up_no_claim(
    bus: NatsBus, broker: Broker, tmp_path: Path
) -> None:
    world = World(bus)
    await world.begin()
    async with a_part("allocator", broker.url, tmp_path) as part:
        await part.until("/readyz", 200)
        with ExitStack() as held:
            for _ in range(64):
                client = held.enter_context(socket.create_connection(("127.0.0.1", part.port), timeout=5))
                client.sendall(b"GET /metr")
            (answer,) = await world.allocate(claim("fits", 2))
            assert answer.allocation is not None
        await part.until("/healthz", 200)


@pytest.mark.parametrize("name", ["allocator", "discovery", "node-prep"])
async def test_no_password_is_written_while_the_bus_is_looked_for(name: str) -> None:
    with tempfile.TemporaryDirectory(prefix="sw-") as folder, socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        url = f"nats://user:{SECRET}@127.0.0.1:{deaf.getsockname()[1]}"
        async with a_part(name, url, Path(folder), SLICEWIRE_LOG_LEVEL="DEBUG") as part:
            await part.until("/readyz", 503)
            _, text = await part.get("/metrics")
        assert 'slicewire_bus_connected{part="' + name + '"} 0.0' in text
        assert SECRET not in text + (Path(folder) / "log").read_text()
