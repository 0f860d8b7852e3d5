"""The examples for external tools, each as a process of its own, on a real stream."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from slicewire.common.bus.nats import NatsBus
from slicewire.common.bus.port import Write
from slicewire.common.messages import INVENTORY
from tests.component.allocator.world import DRIVER, SECONDS, pool
from tests.component.client.command import ENVIRON

pytestmark = pytest.mark.e2e
EXAMPLES = Path(__file__).parents[2] / "examples" / "subscribers"


class Subscriber:
    """A running example, read line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        self._out = process.stdout

    async def line(self) -> str:
        async with asyncio.timeout(SECONDS):
            return (await self._out.readline()).decode().rstrip("\n")

    async def lines(self, count: int) -> list[str]:
        return [await self.line() for _ in range(count)]


@asynccontextmanager
async def running(example: str, nats_url: str, *arguments: str, **settings: str) -> AsyncIterator[Subscriber]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(EXAMPLES / example),
        *arguments,
        env={**ENVIRON, "SLICEWIRE_NATS_URL": nats_url, **settings},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Subscriber(process)
    finally:
        process.kill()
        await process.communicate()


async def test_the_client_library_shows_everything_now_then_changes_then_ends(
    bus: NatsBus, nats_url: str
) -> None:
    await bus.tell(INVENTORY, pool("node-a.example.com", gpus=2))
    async with running("with_client.py", nats_url) as example:
        now = await example.lines(2)
        await bus.tell(INVENTORY, pool("node-a.example.com", gpus=1, generation=2))
        change = await example.line()
        await bus.commit([Write(INVENTORY, ("node-a.example.com", DRIVER), None)])
        end = await example.line()
    assert now == [
        "node-a.example.com gpu.nvidia.com: generation 1, 2 devices, 0 tainted",
        "-- that is everything now; changes follow",
    ]
    assert change == "node-a.example.com gpu.nvidia.com: generation 2, 1 devices, 0 tainted"
    assert end == "node-a.example.com gpu.nvidia.com: gone"


async def test_bare_nats_py_shows_the_same(bus: NatsBus, nats_url: str) -> None:
    await bus.tell(INVENTORY, pool(gpus=2))
    await bus.tell(INVENTORY, pool(gpus=3, generation=2))
    async with running("with_nats_py.py", nats_url) as example:
        now = await example.line()
        await bus.commit([Write(INVENTORY, ("node-a", DRIVER), None)])
        end = await example.line()
    assert now.startswith("2 2")
    assert now.endswith("Z node-a: generation 2, 3 devices")
    assert end == "3 slicewire.v1.state.inventory.node-a.gpu_nvidia_com: gone"


@pytest.mark.parametrize("since", [("--from", "1"), ("--since", "2020-01-01T00:00:00Z")])
async def test_bare_nats_py_replays_what_was_superseded(
    bus: NatsBus, nats_url: str, since: tuple[str, str]
) -> None:
    async with running("with_nats_py.py", nats_url, "--from", "1") as witness:
        for generation in (1, 2):  # one after the other, as the history hears them
            await bus.tell(INVENTORY, pool(gpus=2, generation=generation))
            await witness.line()
    async with running("with_nats_py.py", nats_url, *since) as example:
        replayed = await example.lines(2)
    assert [line.partition(": ")[2] for line in replayed] == [
        "generation 1, 2 devices",
        "generation 2, 2 devices",
    ]


async def test_the_exporter_counts_devices_by_node_and_use(
    bus: NatsBus, nats_url: str, unused_tcp_port: int
) -> None:
    await bus.tell(INVENTORY, pool(gpus=2))
    async with running("capacity_exporter.py", nats_url, str(unused_tcp_port)) as example:
        assert await example.line() == f"http://127.0.0.1:{unused_tcp_port}/metrics"
        reader, writer = await asyncio.open_connection("127.0.0.1", unused_tcp_port)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = (await reader.read()).decode()
        writer.close()
    labels = f'node="node-a",driver="{DRIVER}"'
    assert answer.partition("\r\n\r\n")[2].splitlines() == [
        "# TYPE slicewire_node_devices gauge",
        f'slicewire_node_devices{{{labels},state="allocated"}} 0',
        f'slicewire_node_devices{{{labels},state="tainted"}} 0',
        f'slicewire_node_devices{{{labels},state="free"}} 2',
    ]
