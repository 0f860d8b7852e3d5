"""MPS as the kubelet meets it: asked together with others, and while node-prep comes and goes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from slicewire.node_prep.processes import Running
from tests.component.node_prep.harness import SOON_SECONDS, Service, Station, asked, held
from tests.component.node_prep.mps import cleared, killed, running, shared, the_daemon, trouble
from tests.component.node_prep.process import started
from tests.kubelet.client import Kubelet
from tests.unit.node_prep.builders import DRIVER

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _cleared(station: Station) -> Iterator[None]:
    with cleared(station.disk.mps.root):
        yield


def daemons(station: Station) -> list[Running]:
    return [process for process, _ in running(station.disk.mps.root)]


async def until_another_runs(service: Service, before: Running) -> None:
    """Until supervision has prepared the claim again, which is told as a change."""
    async with asyncio.timeout(SOON_SECONDS):
        seen = 0
        while the_daemon(service.preparation) in (None, before):
            seen = await service.hearing.next_change(seen, at_most_seconds=0.1)


async def test_a_slow_daemon_holds_up_no_other_claim(station: Station) -> None:
    trouble(station.nvml.driver_root, slowSeconds=1.5)
    await station.author.tell_ledger(held("claim-1", "gpu-0", config=shared()), held("claim-2", "gpu-1"))
    async with station.kubelet() as plugin:
        slow = asyncio.create_task(plugin.prepared(asked("claim-1")))
        async with asyncio.timeout(1.0):
            await plugin.prepared(asked("claim-2"))
            assert await plugin.unprepare([asked("claim-2")]) == {"claim-2": ""}
        assert not slow.done()
        await slow
        assert len(daemons(station)) == 1
        assert await plugin.unprepare([asked("claim-1")]) == {"claim-1": ""}
        assert daemons(station) == []


async def test_a_daemon_that_dies_under_its_claim_is_started_again(station: Station) -> None:
    await station.author.tell_ledger(held(config=shared()))
    async with station.serving() as service, Kubelet(station.disk.registry_dir).registered(DRIVER) as plugin:
        await plugin.prepared(asked())
        [before] = daemons(station)
        killed(before)
        await until_another_runs(service, before)
        assert await plugin.unprepare([asked()]) == {"claim-1": ""}
    assert daemons(station) == []


async def test_a_daemon_that_died_while_node_prep_was_away_is_started_again(station: Station) -> None:
    await station.author.tell_ledger(held(config=shared()))
    async with station.kubelet() as plugin:
        await plugin.prepared(asked())
    [before] = daemons(station)
    killed(before)
    async with station.serving() as service:
        await until_another_runs(service, before)
    assert len(daemons(station)) == 1, "and outlives node-prep again"


async def test_node_prep_killed_for_real_finds_the_daemon_it_left(station: Station) -> None:
    await station.author.tell_ledger(held(config=shared()))
    async with started(station.disk, station.nats_url) as process:
        async with Kubelet(station.disk.registry_dir).registered(DRIVER) as plugin:
            await plugin.prepared(asked())
        before = daemons(station)
        assert len(before) == 1
        await process.kill()
    assert daemons(station) == before
    async with (
        started(station.disk, station.nats_url) as process,
        Kubelet(station.disk.registry_dir).registered(DRIVER) as plugin,
    ):
        await plugin.prepared(asked())
        assert daemons(station) == before
        assert await plugin.unprepare([asked()]) == {"claim-1": ""}
        assert daemons(station) == []
