"""What goes wrong in a real part wakes somebody: a real Prometheus looks at it and judges."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from slicewire.client.local.broker import Broker
from slicewire.common.bus.nats import NatsBus
from slicewire.common.messages import INVENTORY, LEDGERS, ClaimRef, Conflict, LedgerWritten
from slicewire.common.model import ClaimUID, DeviceID, DeviceName, NodeName, PoolName
from slicewire.common.nvml.simulated.faults import befallen
from slicewire.common.nvml.simulated.fleet import STATE_FILE
from slicewire.common.nvml.simulated.statefile import StateFile
from tests.alerts.prometheus import free_port, watching
from tests.component.allocator.world import DRIVER, World, claim

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
_BIN = Path(sys.executable).parent


@asynccontextmanager
async def a_part(
    part: str, nats_url: str, **own: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """The process, and the port to look at."""
    port, quiet = free_port(), asyncio.subprocess.DEVNULL
    environ = {**os.environ, "SLICEWIRE_NATS_URL": nats_url, "SLICEWIRE_HEALTH_PORT": str(port), **own}
    process = await asyncio.create_subprocess_exec(
        _BIN / f"slicewire-{part}", env=environ, stderr=quiet, stdout=quiet
    )
    try:
        yield process, port
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


async def test_a_bus_that_goes_away_and_an_allocator_that_dies(broker: Broker, tmp_path: Path) -> None:
    async with (
        a_part("allocator", broker.url) as (process, port),
        watching(tmp_path / "prometheus", {"allocator": port}) as prometheus,
    ):
        await prometheus.until_seen('slicewire_ready{part="allocator"}')
        await prometheus.until_quiet("SlicewireNoAllocator", "SlicewireBusAway", "SlicewirePartNotReady")
        await broker.kill()
        found = await prometheus.until_firing("SlicewireBusAway", "SlicewireFollowerLags")
        (away,) = found["SlicewireBusAway"]
        assert away["labels"]["severity"] == "critical"
        assert away["annotations"]["summary"] == f"allocator at 127.0.0.1:{port} has no connection to the bus"
        assert "SlicewirePartDown" not in found, "a part without a bus still answers"
        await broker.start()
        await prometheus.until_quiet("SlicewireBusAway", "SlicewireFollowerLags")
        process.kill()
        await prometheus.until_firing("SlicewirePartDown", "SlicewireNoAllocator")


async def test_a_part_that_never_finds_its_bus(tmp_path: Path) -> None:
    nowhere = f"nats://user:secret@127.0.0.1:{free_port()}"
    async with (
        a_part("allocator", nowhere) as (_, port),
        watching(tmp_path / "prometheus", {"allocator": port}) as prometheus,
    ):
        await prometheus.until_firing("SlicewirePartNotReady", "SlicewireBusAway", "SlicewireNoAllocator")


async def test_claims_that_wait_or_are_wrong_and_a_device_that_is_held_twice(
    bus: NatsBus, broker: Broker, tmp_path: Path
) -> None:
    world = World(bus)
    await world.begin()
    async with (
        a_part("allocator", broker.url) as (_, port),
        watching(tmp_path / "prometheus", {"allocator": port}) as prometheus,
    ):
        await prometheus.until_seen('slicewire_allocator_devices{state="healthy"} == 8')
        await prometheus.until_quiet("SlicewireNoAllocator")
        assert not {"SlicewireClaimsWait", "SlicewireClaimsInvalid"} & (await prometheus.firing()).keys()
        await world.allocate(claim("fits", 2))
        await world.allocate(claim("too-large", 9))
        await world.allocate(claim("wrong", selector="device.nonsense()"))
        await bus._client.publish(INVENTORY.subject("node-a", DRIVER), b"{")
        twice = tuple(ClaimRef(uid=ClaimUID(uid)) for uid in ("a", "b"))
        device = DeviceID(DRIVER, PoolName("node-b"), DeviceName("gpu-0"))
        await bus.tell(
            LEDGERS,
            LedgerWritten(node=NodeName("node-b"), driver=DRIVER, conflicts=(Conflict(device, twice),)),
        )
        found = await prometheus.until_firing(
            "SlicewireClaimsWait", "SlicewireClaimsInvalid", "SlicewireDeviceGivenTwice"
        )
        assert found["SlicewireClaimsWait"][0]["annotations"]["summary"] == "2 claims have waited for devices"
        await prometheus.until_firing("SlicewireMessageUnreadable", "SlicewireErrorsLogged")


async def test_gpus_that_are_not_well_and_a_driver_that_goes(broker: Broker, tmp_path: Path) -> None:
    state = tmp_path / STATE_FILE
    own = {
        "SLICEWIRE_NODE_NAME": "node-a",
        "SLICEWIRE_DISCOVERY_NVML_ROOM": "simulated",
        "SLICEWIRE_DISCOVERY_NVML_STATE": str(state),
        "SLICEWIRE_DISCOVERY_NVML_PROFILE": "h100",
        "SLICEWIRE_DISCOVERY_NVML_GPUS": "2",
    }
    async with (
        a_part("discovery", broker.url, **own) as (_, port),
        watching(tmp_path / "prometheus", {"discovery": port}) as prometheus,
    ):
        await prometheus.until_seen('slicewire_discovery_devices{node="node-a",state="healthy"}')
        file = StateFile(state)
        file.change(lambda before: befallen(before, 0, "lost"))
        found = await prometheus.until_firing("SlicewireDevicesTainted")
        assert found["SlicewireDevicesTainted"][0]["labels"]["node"] == "node-a"
        file.change(lambda before: befallen(before, 0, "driver-away"))
        await prometheus.until_firing("SlicewireDriverMissing")
        file.change(lambda before: befallen(before, 0, "driver-back"))
        await prometheus.until_quiet("SlicewireDriverMissing")
