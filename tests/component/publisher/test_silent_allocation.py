"""An agent dies and claims are refused its devices; it answers, and they get them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from slicewire.common.bus.nats import NatsBus
from slicewire.common.messages import CAPACITY, CLASSES, NODES, CapacityReply, CapacityRequest
from slicewire.common.model import DeviceToleration
from tests.builders import a_claim, exactly
from tests.component.allocator import world as allocation
from tests.component.publisher.test_rollcall import KEPT, an_agent
from tests.component.publisher.world import MANAGED, World, gpus, publishing
from tests.kubeapi import kinds
from tests.kubeapi.examples import DRIVER

pytestmark = pytest.mark.slow

PLACE = "node-managed"
ANY = "any.example.com"
BRAVE = a_claim(
    gpu=exactly(1, of=ANY, tolerations=[DeviceToleration(key="slicewire.dev/silent", operator="Exists")]),
    name="brave",
)


@pytest.fixture
async def asking(world: World, bus: NatsBus, nats_url: str) -> AsyncIterator[allocation.World]:
    """A node that Slicewire allocates, a class of any device, and an allocator."""
    world.add_node(PLACE, MANAGED)
    world.create(kinds.DEVICE_CLASSES, {"metadata": {"name": ANY}, "spec": {}})
    async with allocation.allocating(nats_url):
        yield allocation.World(bus)


async def is_free(world: World, number: int) -> None:
    """As the allocator sees it."""

    async def free() -> int:
        reply = await world.bus.ask(CAPACITY, CapacityRequest())
        assert isinstance(reply, CapacityReply), reply
        return sum(each.free for each in reply.classes if each.device_class == ANY)

    await allocation.until(free, lambda found: found == number)


async def falls_silent(world: World) -> None:
    """It was there, and is there no more."""
    async with an_agent(world.bus, PLACE):
        await world.tell_pool(gpus(2), PLACE, answers=True)
        await world.hears(CLASSES, ANY, bool)
        await is_free(world, 2)
    await world.hears(NODES, PLACE, lambda fact: fact.silent == (DRIVER,))
    await is_free(world, 0)


async def test_a_silent_agent_s_devices_are_refused_until_it_answers(
    world: World, asking: allocation.World, tmp_path: Path
) -> None:
    async with publishing(world.bus, world.api, tmp_path, KEPT):
        await falls_silent(world)
        (refused,) = await asking.allocate(allocation.claim("one", of=ANY))
        assert refused.refusal is not None
        assert "its agent is silent" in str(refused.refusal)
        (given,) = await asking.allocate(BRAVE)
        assert given.allocation is not None
        async with an_agent(world.bus, PLACE):  # which tells nothing: its inventory is as it was
            held = await allocation.until(asking.held, lambda found: "uid-one" in found)
        assert held == {"uid-brave": [f"{PLACE}/gpu-0"], "uid-one": [f"{PLACE}/gpu-1"]}


async def test_a_publisher_that_starts_lets_it_be_silent_until_it_answers(
    world: World, asking: allocation.World, tmp_path: Path
) -> None:
    async with publishing(world.bus, world.api, tmp_path, KEPT):
        await falls_silent(world)
    before = (await world.latest(NODES))[PLACE]
    async with publishing(world.bus, world.api, tmp_path, KEPT):
        await world.settled()
        assert (await world.latest(NODES))[PLACE] == before
        async with an_agent(world.bus, PLACE):
            await world.hears(NODES, PLACE, lambda fact: not fact.silent)
            await is_free(world, 2)
