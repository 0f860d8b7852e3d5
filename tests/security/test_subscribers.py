"""The examples for external tools on a secured bus, each as a process with the files of a reader."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path

import pytest

from slicewire.client.credentials.folder import Folder
from slicewire.common.bus.nats import NatsBus
from slicewire.common.bus.port import Write
from slicewire.common.messages import INVENTORY
from tests.component.allocator.world import DRIVER, SECONDS, pool
from tests.e2e.test_subscribers import Subscriber, running
from tests.security.conftest import Join
from tests.security.servers import Server

pytestmark = pytest.mark.slow


@pytest.fixture
async def node(join: Join) -> AsyncIterator[NatsBus]:
    """Node-a tells its devices; an allocator has made the streams."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(join("allocator"))
        bus = await stack.enter_async_context(join("nodes/node-a"))
        await bus.tell(INVENTORY, pool(gpus=2))
        yield bus


def reading(
    folder: Folder, server: Server, *command: str, **settings: str
) -> AbstractAsyncContextManager[Subscriber]:
    files = {
        "SLICEWIRE_NATS_CREDENTIALS": str(folder.path / "clients/readers/grafana.creds"),
        "SLICEWIRE_NATS_CA": str(folder.path / "clients/ca.crt"),
    }
    example, *arguments = command
    return running(example, server.url, *arguments, **(files | settings))


async def test_the_client_library_shows_everything_now_then_changes_then_ends(
    node: NatsBus, folder: Folder, server: Server
) -> None:
    async with reading(folder, server, "with_client.py") as example:
        now = await example.lines(2)
        await node.tell(INVENTORY, pool(gpus=1, generation=2))
        change = await example.line()
        await node.commit([Write(INVENTORY, ("node-a", DRIVER), None)])
        end = await example.line()
    assert now == [
        "node-a gpu.nvidia.com: generation 1, 2 devices, 0 tainted",
        "-- that is everything now; changes follow",
    ]
    assert change == "node-a gpu.nvidia.com: generation 2, 1 devices, 0 tainted"
    assert end == "node-a gpu.nvidia.com: gone"


async def test_bare_nats_py_shows_the_same_whatever_its_file_is_called(
    node: NatsBus, folder: Folder, server: Server, tmp_path: Path
) -> None:
    file = shutil.copy(folder.path / "clients/readers/grafana.creds", tmp_path / "mine.creds")
    renamed = {"SLICEWIRE_NATS_CREDENTIALS": str(file), "SLICEWIRE_READER": "grafana"}
    async with reading(folder, server, "with_nats_py.py", **renamed) as example:
        now = await example.line()
        await node.commit([Write(INVENTORY, ("node-a", DRIVER), None)])
        end = await example.line()
    assert now.endswith("Z node-a: generation 1, 2 devices")
    assert end == "2 slicewire.v1.state.inventory.node-a.gpu_nvidia_com: gone"


@pytest.mark.parametrize("since", [("--from", "1"), ("--since", "2020-01-01T00:00:00Z")])
async def test_bare_nats_py_replays_what_was_superseded(
    node: NatsBus, folder: Folder, server: Server, since: tuple[str, str]
) -> None:
    async with reading(folder, server, "with_nats_py.py", "--from", "1") as witness:
        await witness.line()  # the history has heard the first before it is superseded
        await node.tell(INVENTORY, pool(gpus=2, generation=2))
        await witness.line()
    async with reading(folder, server, "with_nats_py.py", *since) as example:
        replayed = await example.lines(2)
    assert [line.partition(": ")[2] for line in replayed] == [
        "generation 1, 2 devices",
        "generation 2, 2 devices",
    ]


async def test_bare_nats_py_goes_on_after_the_server_was_away(
    node: NatsBus, folder: Folder, server: Server
) -> None:
    async with reading(folder, server, "with_nats_py.py") as example:
        await example.line()
        await server.end()
        await server.start()
        async with asyncio.timeout(SECONDS):
            while not node._client.is_connected:
                await asyncio.sleep(0.05)
        await node.tell(INVENTORY, pool(gpus=2, generation=2))
        assert (await example.line()).endswith("Z node-a: generation 2, 2 devices")


@pytest.mark.usefixtures("node")
async def test_the_exporter_counts_devices_by_node_and_use(
    folder: Folder, server: Server, unused_tcp_port: int
) -> None:
    async with reading(folder, server, "capacity_exporter.py", str(unused_tcp_port)) as example:
        assert await example.line() == f"http://127.0.0.1:{unused_tcp_port}/metrics"
        reader, writer = await asyncio.open_connection("127.0.0.1", unused_tcp_port)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = (await reader.read()).decode()
        writer.close()
    assert f'slicewire_node_devices{{node="node-a",driver="{DRIVER}",state="free"}} 2' in answer
