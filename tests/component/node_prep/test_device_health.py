"""The kubelet watches how the devices fare, in both versions of the service."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from slicewire.client.local.broker import Broker
from slicewire.common.messages import Unreadable
from slicewire.common.model import DeviceTaint
from slicewire.node_prep.watch import Rhythm
from tests.component.node_prep.harness import GPUS, SOON_SECONDS, Station, held
from tests.kubelet.client import ReportedHealth
from tests.unit.node_prep.builders import POOL

pytestmark = pytest.mark.slow

XID = DeviceTaint(key="gpu.nvidia.com/xid", value="79", effect="NoExecute")
Lists = AsyncIterator[tuple[ReportedHealth, ...]]


async def next_of(lists: Lists) -> dict[str, tuple[str, str]]:
    async with asyncio.timeout(SOON_SECONDS):
        return {one.device_name: (one.health, one.message) for one in await anext(lists)}


@pytest.mark.parametrize("service", ["v1.DRAResourceHealth", "v1alpha1.DRAResourceHealth"])
async def test_the_whole_list_comes_at_once_and_again_when_it_changes(station: Station, service: str) -> None:
    async with station.kubelet() as plugin:
        lists = plugin.health(service)
        now = int(time.time())
        first = await anext(lists)
        assert [one.device_name for one in first] == [f"gpu-{number}" for number in range(GPUS)]
        assert {(one.pool_name, one.health, one.message) for one in first} == {(POOL, "HEALTHY", "")}
        assert all(now <= one.last_updated_time <= now + SOON_SECONDS for one in first)
        assert {one.health_check_timeout_seconds for one in first} == {30}

        await station.author.tell_inventory(taints={"gpu-1": (XID,)})
        healthy = {f"gpu-{number}": ("HEALTHY", "") for number in range(GPUS)}
        struck = {**healthy, "gpu-1": ("UNHEALTHY", "gpu.nvidia.com/xid=79:NoExecute")}
        assert await next_of(lists) == struck

        await station.author.tell_ledger(held())  # no news of any device
        await station.author.tell_inventory(Unreadable(what="gpu-2", reason="timeout"))
        assert await next_of(lists) == {**healthy, "gpu-2": ("UNKNOWN", "cannot be read: timeout")}


async def test_an_unchanged_list_is_said_again_before_it_grows_old(station: Station) -> None:
    async with station.kubelet(rhythm=Rhythm(refresh_seconds=0.05)) as plugin:
        lists = plugin.health()
        assert len({tuple((await next_of(lists)).items()) for _ in range(3)}) == 1


@pytest.mark.slow
async def test_while_the_bus_is_away_too_long_every_device_is_unknown(
    station: Station, broker: Broker
) -> None:
    rhythm = Rhythm(refresh_seconds=0.05, timeout_seconds=1)
    async with station.kubelet(rhythm=rhythm) as plugin:
        lists = plugin.health()
        assert (await next_of(lists))["gpu-0"] == ("HEALTHY", "")
        await broker.stop()
        async with asyncio.timeout(SOON_SECONDS):
            while (said := (await next_of(lists))["gpu-0"]) == ("HEALTHY", ""):
                pass
        assert said == ("UNKNOWN", "the bus is away: nothing has been heard of the device since")
        await broker.start()
        async with asyncio.timeout(SOON_SECONDS):
            while (await next_of(lists))["gpu-0"] != ("HEALTHY", ""):
                pass


async def test_nothing_is_said_before_the_node_has_been_heard_of(station: Station, broker: Broker) -> None:
    await broker.stop()
    async with station.kubelet(ready=False, rhythm=Rhythm(refresh_seconds=0.01)) as plugin:
        lists = plugin.health()
        first = asyncio.ensure_future(anext(lists))
        await asyncio.wait([first], timeout=0.1)
        assert not first.done()
        await broker.start()
        async with asyncio.timeout(SOON_SECONDS):
            assert {one.health for one in await first} == {"HEALTHY"}


async def test_a_watcher_does_not_keep_us_from_stopping(station: Station) -> None:
    begun = time.monotonic()
    async with station.kubelet() as plugin:
        lists = plugin.health()
        await next_of(lists)
    assert time.monotonic() - begun < 4.0, "the grace for questions in work is 5 seconds"
