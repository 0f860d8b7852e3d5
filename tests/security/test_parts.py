"""Every part at work with its own identity: devices are told, a claim goes all its way."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from slicewire.client import documents, library
from slicewire.client.credentials.folder import Folder
from slicewire.client.local.system import Plan, commands
from slicewire.common.bus.port import CaughtUp
from slicewire.common.messages import ALIVE, CLASSES, AliveReply, AliveRequest, ClaimPrepared, ClassObserved
from slicewire.common.model import DeviceClass, ObjectMeta
from tests.security.conftest import Join
from tests.security.parts import kept, secured
from tests.security.servers import NODES, Server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(90)]
CLAIM = """
apiVersion: resource.k8s.io/v1
kind: ResourceClaim
metadata: {name: train, namespace: default}
spec: {devices: {requests: [{name: gpu, exactly: {deviceClassName: gpu}}]}}
"""


@pytest.fixture
async def logs(folder: Folder, server: Server) -> AsyncIterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sw-") as place:  # short: a socket's path ends at 107 bytes
        plan = Plan(folder=Path(place), nodes=NODES, gpus=2, allocators=2)
        for node in NODES:
            plan.node_folder(node).mkdir(parents=True)
        async with kept([secured(command, folder) for command in commands(plan, server.url)]):
            yield plan.folder / "logs"


async def until(what: Callable[[], Awaitable[bool]], logs: Path) -> None:
    try:
        async with asyncio.timeout(30):
            while not await what():
                await asyncio.sleep(0.1)
    except TimeoutError:
        pytest.fail("\n".join(f"{log.name}: {log.read_text()[-2000:]}" for log in logs.glob("*.log")))


async def test_all_parts_work_with_their_own_rights(
    folder: Folder, server: Server, join: Join, logs: Path
) -> None:
    user = str(folder.path / "clients/user.creds")
    async with (
        library.connect(
            server.url,
            credentials=user,
            authority=str(folder.path / "clients/ca.crt"),
            patience_seconds=20,
        ) as client,
        join("publisher", 20) as publisher,
    ):
        kind = DeviceClass(metadata=ObjectMeta(name="gpu"))
        await publisher.tell(CLASSES, ClassObserved(device_class=kind))

        async def devices_are_told() -> bool:
            found = 0
            async for pool in client.inventory():
                if isinstance(pool, CaughtUp):
                    return found == len(NODES)
                found += 1
            return False

        await until(devices_are_told, logs)
        for node in NODES:
            asked = AliveRequest()
            assert isinstance(await publisher.ask(ALIVE, asked, node, "gpu.nvidia.com"), AliveReply)
        claims = documents.read(CLAIM, "the test").claims
        (answer,) = await client.allocate(*claims)
        assert answer.allocation is not None
        prepared: list[ClaimPrepared] = []

        async def claim_is_prepared() -> bool:
            with suppress(library.SaidNo):  # node-prep may still be starting
                prepared.append(await client.prepare(answer))
            return bool(prepared)

        await until(claim_is_prepared, logs)
        assert prepared[0].devices
        assert (await client.capacity()).pools
        await client.release(answer.claim)
    said = "".join(log.read_text() for log in logs.glob("*.log"))
    assert "refuses us" not in said
    assert "does not allow it" not in said, said
