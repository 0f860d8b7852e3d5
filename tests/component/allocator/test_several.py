"""Several allocators at once, and allocators and servers that die."""

from __future__ import annotations

import asyncio

from slicewire.client.local.broker import Broker
from slicewire.common.bus.nats import NatsBus
from slicewire.common.bus.port import BusUnavailable
from slicewire.common.messages import ANSWERS, ClaimAnswered
from slicewire.common.model import ResourceClaim
from tests.component.allocator.world import World, allocating, claim, of_kubernetes, pool, until


async def test_no_device_is_given_twice_when_two_allocators_race(bus: NatsBus, nats_url: str) -> None:
    world = World(bus)
    await world.begin(pool("node-a"), pool("node-b"))
    async with allocating(nats_url, "allocator-1"), allocating(nats_url, "allocator-2"):
        replies = await asyncio.gather(*(world.allocate(claim(f"c{n}")) for n in range(24)))
    given = [
        f"{result.pool}/{result.device}"
        for (answer,) in replies
        if answer.allocation
        for result in answer.allocation.devices.results
    ]
    assert len(given) == len(set(given)) == 16
    assert sorted(device for devices in (await world.held()).values() for device in devices) == sorted(given)


async def test_each_claim_of_kubernetes_is_answered_once_by_one_of_two(bus: NatsBus, nats_url: str) -> None:
    world = World(bus)
    await world.begin()
    async with allocating(nats_url, "allocator-1"), allocating(nats_url, "allocator-2"):
        for number in range(12):
            await world.show(of_kubernetes(claim(f"k{number}")))
        answers = await until(lambda: world.now(ANSWERS), lambda found: len(found) == 12)
    assert sum(answer.allocation is not None for answer in answers.values()) == 8
    assert len({device for devices in (await world.held()).values() for device in devices}) == 8


async def test_a_claim_shown_while_no_allocator_runs_is_decided_by_the_next(
    bus: NatsBus, nats_url: str
) -> None:
    world = World(bus)
    await world.begin()
    await world.show(of_kubernetes(claim("early")))
    async with allocating(nats_url):
        await until(world.held, lambda found: "uid-early" in found)


async def test_an_allocator_that_comes_back_knows_what_was_given(bus: NatsBus, nats_url: str) -> None:
    world = World(bus)
    await world.begin()
    async with allocating(nats_url):
        first = await world.allocate(claim("one"))
    async with allocating(nats_url):
        assert await world.allocate(claim("one")) == first
        (answer,) = await world.allocate(claim("two"))
    assert answer.allocation is not None
    assert answer.allocation.devices.results[0].device == "gpu-1"


async def test_claims_go_on_after_the_server_was_killed(broker: Broker, bus: NatsBus) -> None:
    world = World(bus)
    await world.begin()
    async with allocating(broker.url):
        await world.allocate(claim("before"))
        await broker.kill()
        await broker.start()
        (answer,) = await until_answered(world, claim("after"))
    assert answer.allocation is not None
    assert answer.allocation.devices.results[0].device == "gpu-1"


async def until_answered(world: World, wanted: ResourceClaim) -> tuple[ClaimAnswered, ...]:
    """As a client would: asked again until the bus is back, which changes nothing."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await world.allocate(wanted)
            except (BusUnavailable, AssertionError):
                await asyncio.sleep(0.05)
