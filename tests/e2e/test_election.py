"""kill -9 of the publisher that leads: another process takes over within its lease, and nothing is lost."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from slicewire.common.bus.nats import NatsBus
from slicewire.common.messages import INVENTORY, PoolObserved
from slicewire.common.model import NodeName, PoolName
from slicewire.common.model.naming import NVIDIA_DRIVER
from tests.component.publisher.world import NODE, World, gpus
from tests.kubeapi import kinds
from tests.kubeapi.server import serving
from tests.kubeapi.targets import Target

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]
COMMAND = Path(sys.executable).parent / "slicewire-publisher"
LEASE = Target(kinds.LEASES, "kube-system", "slicewire-publisher")
SECONDS = 3


@asynccontextmanager
async def a_process(
    name: str, nats_url: str, kubeconfig: Path, **settings: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    environ = {
        "SLICEWIRE_NATS_URL": nats_url,
        "SLICEWIRE_PUBLISHER_INSTANCE": name,
        "SLICEWIRE_PUBLISHER_KUBECONFIG": str(kubeconfig),
        "SLICEWIRE_PUBLISHER_LEASE_SECONDS": str(SECONDS),
        **{f"SLICEWIRE_PUBLISHER_{setting}": value for setting, value in settings.items()},
    }
    process = await asyncio.create_subprocess_exec(
        COMMAND, env={**os.environ, **environ}, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


async def has_said(process: asyncio.subprocess.Process, words: str) -> None:
    assert process.stderr is not None
    async for line in process.stderr:
        if words in line.decode():
            return
    raise AssertionError(f"it ended without having said {words!r}")


def leader(world: World) -> str:
    """The name of the replica that holds the lease."""
    lease = world.store.find(LEASE)
    return str(lease["spec"].get("holderIdentity", "")).partition("@")[0] if lease else ""


async def test_a_killed_leader_is_replaced_within_its_lease(
    bus: NatsBus, nats_url: str, tmp_path: Path
) -> None:
    clock = asyncio.get_running_loop().time
    async with serving() as api:
        world = World(bus, api)
        world.add_node()
        kubeconfig = api.write_kubeconfig(tmp_path / "kubeconfig.json")
        async with a_process("one", nats_url, kubeconfig) as one:
            await world.until(lambda: leader(world) == "one")
            async with a_process("two", nats_url, kubeconfig) as two:
                await has_said(two, "both sides are known")
                await world.tell_pool(gpus(1))
                await world.until(lambda: world.device_names() == [["gpu-0"]])
                one.kill()
                killed = clock()
                await world.tell_pool(gpus(2))
                await world.until(lambda: world.device_names() == [["gpu-0", "gpu-1"]])
                assert clock() - killed <= SECONDS * 1.5
                assert leader(world) == "two"
                two.terminate()
                assert await two.wait() == 0
                assert leader(world) == "", "who ends in good order gives the lease back"


@pytest.mark.parametrize("device_classes", ["true", "false"])
async def test_the_settings_of_the_process_are_heeded(
    bus: NatsBus, nats_url: str, tmp_path: Path, device_classes: str
) -> None:
    """Missing classes are made only where the setting says so; the slices tell that it has looked."""
    async with serving() as api:
        world = World(bus, api)
        world.add_node()
        kubeconfig = api.write_kubeconfig(tmp_path / "kubeconfig.json")
        async with a_process("one", nats_url, kubeconfig, DEVICE_CLASSES=device_classes) as one:
            for generation in (1, 2, 3):
                await bus.tell(INVENTORY, a_pool_of_nvidia(generation))
                await world.until(lambda wanted=generation: published(world) == wanted)  # type: ignore[misc]
            one.terminate()
            assert await one.wait() == 0
        assert bool(world.store.all(kinds.DEVICE_CLASSES)) == (device_classes == "true")


def a_pool_of_nvidia(devices: int) -> PoolObserved:
    return PoolObserved(
        node=NodeName(NODE),
        driver=NVIDIA_DRIVER,
        pool=PoolName(NODE),
        generation=devices,
        devices=gpus(devices, type="gpu"),
    )


def published(world: World) -> int:
    """How many devices the API shows of the node."""
    return sum(len(found["spec"].get("devices", ())) for found in world.slices(NODE))
