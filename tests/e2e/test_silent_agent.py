"""kill -9 of a node's discovery: it is missed, people see it, and it is believed again once it is back."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from slicewire.common.bus.nats import NatsBus
from slicewire.common.bus.port import Past
from slicewire.common.messages import NODES
from tests.component.client.command import Slicewire
from tests.component.publisher.world import NODE, World
from tests.kubeapi.server import serving

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(90)]
_BIN = Path(sys.executable).parent
GPUS = 2
DRIVER = "gpu.nvidia.com"


@asynccontextmanager
async def a_process(part: str, environ: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        _BIN / f"slicewire-{part}", env={**os.environ, **environ}, stderr=quiet, stdout=quiet
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


def silent(world: World) -> list[bool]:
    """Of each published device, whether it carries the taint."""
    devices = [device for found in world.slices() for device in found["spec"].get("devices", ())]
    return [
        any(taint["key"] == "slicewire.dev/silent" for taint in device.get("taints", ()))
        for device in devices
    ]


async def state(bus: NatsBus) -> dict[tuple[str, ...], Any]:
    """Every fact as it is now, by kind and key."""
    past = await bus.as_of(None)
    assert isinstance(past, Past), past
    return {(heard.channel.kind, *heard.key): heard.fact for heard in past.facts}


async def states(slicewire: Slicewire) -> set[str]:
    return {row["state"] for row in (await slicewire("inventory")).json}


async def test_a_killed_discovery_is_missed_and_believed_again_when_it_is_back(
    bus: NatsBus, nats_url: str, tmp_path: Path
) -> None:
    slicewire = Slicewire(nats_url, tmp_path)
    async with serving() as api:
        world = World(bus, api)
        world.add_node()
        environ = {
            "SLICEWIRE_NATS_URL": nats_url,
            "SLICEWIRE_NODE_NAME": NODE,
            "SLICEWIRE_DISCOVERY_NVML_ROOM": "simulated",
            "SLICEWIRE_DISCOVERY_NVML_STATE": str(tmp_path / NODE / "gpus.json"),
            "SLICEWIRE_DISCOVERY_NVML_GPUS": str(GPUS),
            "SLICEWIRE_PUBLISHER_KUBECONFIG": str(api.write_kubeconfig(tmp_path / "kubeconfig.json")),
            "SLICEWIRE_PUBLISHER_LEASE_SECONDS": "0",
            "SLICEWIRE_PUBLISHER_ROLL_CALL_SECONDS": "0.5",
        }
        async with a_process("publisher", environ), a_process("discovery", environ) as discovery:
            await world.until(lambda: silent(world) == [False] * GPUS)
            assert await states(slicewire) == {"free"}
            told = await state(bus)
            discovery.kill()
            await world.until(lambda: silent(world) == [True] * GPUS)
            assert await states(slicewire) == {"agent silent"}
            await world.hears(NODES, NODE, lambda fact: fact.silent == (DRIVER,))
            async with a_process("discovery", environ):
                await world.until(lambda: silent(world) == [False] * GPUS)
                assert await states(slicewire) == {"free"}
            await world.hears(NODES, NODE, lambda fact: not fact.silent)
            assert await state(bus) == told, "everything is what it was"
