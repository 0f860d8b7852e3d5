"""Two publishers, one lease: one writes, the other is ready, and a leader of yesterday does no harm."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from slicewire.common.messages import NODES
from slicewire.publisher import kube
from slicewire.publisher.apifaults import NotLeading
from slicewire.publisher.core.lease import Candidate
from slicewire.publisher.election import Election
from slicewire.publisher.service import Publisher
from tests.component.publisher.world import World, gpus, running
from tests.kubeapi import kinds
from tests.kubeapi.faults import Match, Refuse
from tests.kubeapi.store import target_of
from tests.kubeapi.targets import Target

pytestmark = pytest.mark.slow

LEASE = Target(kinds.LEASES, "kube-system", "publisher")
LEASES = Match(resource="leases")
SECONDS = 1
LONG = 30
"""A lease that no loaded machine lets run out."""


class Member:
    """A publisher that stands for election. `stop` is as kill -9: nothing is given back."""

    def __init__(self, world: World, reached: kube.Kube, name: str, seconds: int) -> None:
        self.name = name
        self.election = Election(reached, Candidate(name, seconds), LEASE.namespace, LEASE.name)
        self.publisher = Publisher(world.bus, reached, 4, self.election)
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        await self._stack.enter_async_context(running(self.publisher.run()))

    async def stop(self) -> None:
        await self._stack.aclose()


@asynccontextmanager
async def member(world: World, folder: Path, name: str, seconds: int = SECONDS) -> AsyncIterator[Member]:
    kubeconfig = world.api.write_kubeconfig(folder / "kubeconfig.json")
    async with kube.connected(str(kubeconfig), "") as reached:
        made = Member(world, reached, name, seconds)
        await made.start()
        try:
            yield made
        finally:
            await made.stop()


def holder(world: World) -> str:
    lease = world.store.find(LEASE)
    return str(lease["spec"].get("holderIdentity", "")) if lease else ""


async def leads(world: World, name: str) -> None:
    await world.until(lambda: holder(world) == name)


async def test_one_leads_and_writes_and_the_other_is_ready_on_standby(world: World, tmp_path: Path) -> None:
    async with member(world, tmp_path, "one", LONG) as one:
        await leads(world, "one")
        async with member(world, tmp_path, "two", LONG) as two:
            await world.tell_pool(gpus(1))
            await world.until(world.slices)
            await world.hears(NODES, "node-1", bool)
            await two.publisher._synced.wait()
            assert one.publisher.is_ready()
            assert two.publisher.is_ready()
            assert (one.publisher.role, two.publisher.role) == ("leader", "standby")
            assert world.writes_about("resourceslices") == [("create", "")]


async def test_a_leader_that_is_killed_is_replaced_within_its_lease(world: World, tmp_path: Path) -> None:
    clock = asyncio.get_running_loop().time
    async with member(world, tmp_path, "one") as one:
        await leads(world, "one")
        async with member(world, tmp_path, "two"):
            await world.tell_pool(gpus(1))
            await world.until(world.slices)
            await one.stop()
            killed = clock()
            await world.tell_pool(gpus(2))
            await world.until(lambda: world.device_names() == [["gpu-0", "gpu-1"]])
            assert clock() - killed <= SECONDS * 1.5
            assert world.store.get(LEASE)["spec"]["leaseTransitions"] == 1


async def test_a_leader_that_resigns_is_replaced_at_once(world: World, tmp_path: Path) -> None:
    async with member(world, tmp_path, "one") as one:
        await leads(world, "one")
        async with member(world, tmp_path, "two"):
            await one.stop()
            await one.election.resign()
            await leads(world, "two")


async def test_a_leader_that_cannot_renew_stops_writing_before_its_lease_is_up(
    world: World, tmp_path: Path
) -> None:
    async with member(world, tmp_path, "one") as one:
        await leads(world, "one")
        await one.election.gained()
        world.api.faults.inject(Refuse(503), LEASES, times=10_000)
        await one.election.lost()
        before = len(world.writes())
        await world.tell_pool(gpus(1))
        world.add_node("node-2")
        assert one.publisher.role == "standby"
        with pytest.raises(NotLeading, match="the lease is not ours"):
            await one.publisher._api.create("/api/v1/nodes", {})
        assert [call for call in world.writes()[before:] if call.resource != "leases"] == []
        world.api.faults.clear()
        await world.until(world.slices)
        await world.hears(NODES, "node-2", bool)


async def test_a_lease_taken_by_another_ends_the_lead_at_the_next_look(world: World, tmp_path: Path) -> None:
    async with member(world, tmp_path, "one") as one:
        await leads(world, "one")
        await one.election.gained()
        stolen = dict(world.store.get(LEASE))
        spec = {**stolen["spec"], "holderIdentity": "thief", "leaseDurationSeconds": 60}
        world.store.update(target_of(kinds.LEASES, stolen), {**stolen, "spec": spec})
        await one.election.lost()
        assert holder(world) == "thief"


async def test_of_many_candidates_for_a_new_lease_one_gets_it(world: World, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        names = [str(number) for number in range(4)]
        members = [await stack.enter_async_context(member(world, tmp_path, name)) for name in names]
        await world.until(lambda: holder(world))
        await world.tell_pool(gpus(1))
        await world.until(world.slices)
        assert [each.publisher.role for each in members].count("leader") == 1
