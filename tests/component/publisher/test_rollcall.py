"""An agent that died without a word: missed, tainted, then gone; and back as soon as it answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from slicewire.client.local import broker as brokers
from slicewire.common.bus.nats import connected
from slicewire.common.bus.port import Bus, BusUnavailable, Declined
from slicewire.common.messages import ALIVE, AliveReply, AliveRequest
from slicewire.common.model import DriverName, NodeName
from slicewire.publisher.core.attendance import ROUNDS
from slicewire.publisher.service import Policy
from tests.component.publisher.world import NODE, SECONDS, World, gpus, publishing
from tests.kubeapi import kinds
from tests.kubeapi.examples import DRIVER

pytestmark = pytest.mark.slow

OFTEN = 0.05
FLEET = (NODE, *(f"node-{number}" for number in range(2, 6)))
KEPT = Policy(keep_silent=timedelta(hours=1), roll_call_seconds=OFTEN)
BRIEF = Policy(keep_silent=timedelta(seconds=1), roll_call_seconds=OFTEN)
NEVER = Policy(roll_call_seconds=0)


class Asked:
    """How often somebody was, since."""

    def __init__(self) -> None:
        self._again = asyncio.Semaphore(0)

    def once_more(self) -> None:
        self._again.release()

    async def again(self, times: int) -> None:
        async with asyncio.timeout(SECONDS):
            for _ in range(times):
                await self._again.acquire()


@asynccontextmanager
async def an_agent(bus: Bus, node: str = NODE, is_stuck: bool = False) -> AsyncIterator[Asked]:
    """That answers for its pool, until it is gone; a stuck one says so."""
    asked = Asked()

    async def answer(_asked: AliveRequest) -> AliveReply | Declined:
        asked.once_more()
        said = AliveReply(node=NodeName(node), driver=DriverName(DRIVER), generation=1)
        return Declined(503, "has not looked for 600 s") if is_stuck else said

    async with bus.serve({ALIVE: answer}, node, DRIVER, name="discovery"):
        yield asked


async def is_back(bus: Bus) -> None:
    async with asyncio.timeout(20):
        while True:
            with suppress(BusUnavailable):
                await bus.ask(ALIVE, AliveRequest(), NODE, DRIVER)
                return
            await asyncio.sleep(0.01)  # the client says when it is connected to nobody but itself


def taints(world: World, node: str = NODE) -> list[str]:
    devices = [device for found in world.slices(node) for device in found["spec"]["devices"]]
    return [taint["key"] for device in devices for taint in device.get("taints", ())]


def events(world: World, reason: str) -> list[dict[str, Any]]:
    return [dict(each) for each in world.store.all(kinds.NEW_EVENTS) if each["reason"] == reason]


async def is_tainted(world: World) -> None:
    await world.until(lambda: taints(world) == ["slicewire.dev/silent"])


async def test_a_dead_agent_s_devices_are_tainted_and_free_again_when_one_answers(
    world: World, tmp_path: Path
) -> None:
    async with publishing(world.bus, world.api, tmp_path, KEPT):
        async with an_agent(world.bus):
            await world.tell_pool(gpus(1), answers=True)
            await world.until(lambda: world.slices() and not taints(world))
        await is_tainted(world)
        (event,) = await world.until(lambda: events(world, "AgentSilent"))
        assert event["regarding"]["name"] == NODE
        assert "does not answer" in event["note"]
        async with an_agent(world.bus):  # which tells nothing: its inventory is as it was
            await world.until(lambda: taints(world) == [])
            assert await world.until(lambda: events(world, "AgentSpeaks"))


async def test_after_a_while_its_slices_are_removed_and_come_back_with_it(
    world: World, tmp_path: Path
) -> None:
    async with publishing(world.bus, world.api, tmp_path, BRIEF):
        await world.settled()
        await world.tell_pool(gpus(1), answers=True)
        await world.until(world.slices)
        await world.until(lambda: not world.slices())
        async with an_agent(world.bus):
            await world.until(world.slices)


async def test_an_agent_that_is_stuck_is_as_silent_as_a_dead_one(world: World, tmp_path: Path) -> None:
    async with an_agent(world.bus, is_stuck=True), publishing(world.bus, world.api, tmp_path, KEPT):
        await world.settled()
        await world.tell_pool(gpus(1), answers=True)
        await is_tainted(world)


@pytest.mark.parametrize(("policy", "answers"), [(KEPT, False), (NEVER, True)], ids=["older", "off"])
async def test_nobody_misses_an_agent_that_cannot_be_asked(
    world: World, tmp_path: Path, policy: Policy, answers: bool
) -> None:
    async with an_agent(world.bus, "other"), publishing(world.bus, world.api, tmp_path, policy):
        world.add_node("other")
        await world.tell_pool(gpus(1), "other", answers=answers)
        await world.tell_pool(gpus(1), answers=answers)
        await world.until(world.slices)
        await world.settled()
        assert taints(world) == []


async def test_a_publisher_that_starts_keeps_what_is_silent_silent(world: World, tmp_path: Path) -> None:
    async with publishing(world.bus, world.api, tmp_path, KEPT):
        await world.settled()
        await world.tell_pool(gpus(1), answers=True)
        await is_tainted(world)
    (before,) = world.slices()
    async with publishing(world.bus, world.api, tmp_path, KEPT):
        await world.settled()
    assert world.slices() == [before]


async def test_a_publisher_that_starts_offers_nothing_of_an_agent_that_is_gone(
    world: World, tmp_path: Path
) -> None:
    await world.tell_pool(gpus(1), answers=True)
    async with publishing(world.bus, world.api, tmp_path, KEPT):
        await world.settled()
        assert not world.slices()
        async with an_agent(world.bus):
            await world.until(world.slices)


async def test_a_new_pool_is_published_at_once(world: World, tmp_path: Path) -> None:
    seldom = Policy(roll_call_seconds=3600)
    async with publishing(world.bus, world.api, tmp_path, seldom):
        await world.settled()
        await world.tell_pool(gpus(1), answers=True)
        await world.until(world.slices)


@asynccontextmanager
async def a_fleet(world: World, url: str) -> AsyncIterator[list[Asked]]:
    """Agents, each with a connection of its own, that has to find the bus again."""
    async with AsyncExitStack() as agents:
        asked = []
        for node in FLEET:
            bus = await agents.enter_async_context(connected(url, name=node, patience_seconds=5))
            asked.append(await agents.enter_async_context(an_agent(bus, node)))
            await world.tell_pool(gpus(1), node, answers=True)
        yield asked


async def test_an_outage_of_the_bus_makes_nobody_silent(
    world: World, broker: brokers.Broker, tmp_path: Path
) -> None:
    for node in FLEET[1:]:
        world.add_node(node)
    policy = Policy(keep_silent=timedelta(hours=1), roll_call_seconds=0.2)
    async with publishing(world.bus, world.api, tmp_path, policy), a_fleet(world, broker.url) as asked:
        for node in FLEET:
            await world.until(partial(world.slices, node))
        before = [world.slices(node) for node in FLEET]
        await broker.kill()
        await broker.start()
        await is_back(world.bus)
        for each in asked:
            await each.again(ROUNDS + 2)
        await world.settled()
        assert [world.slices(node) for node in FLEET] == before
        assert not events(world, "AgentSilent")


async def test_most_of_a_fleet_missing_at_once_is_not_silent_but_few_are(
    world: World, broker: brokers.Broker, tmp_path: Path
) -> None:
    policy = Policy(keep_silent=timedelta(hours=1), roll_call_seconds=0.2)
    for node in FLEET[1:]:
        world.add_node(node)
    async with publishing(world.bus, world.api, tmp_path, policy), an_agent(world.bus) as last:
        await world.tell_pool(gpus(1), answers=True)
        async with a_fleet(world, broker.url):
            for node in FLEET:
                await world.until(partial(world.slices, node))
        await last.again(ROUNDS + 2)
        await world.settled()
        assert not events(world, "AgentSilent")
        async with an_agent(world.bus, FLEET[1]), an_agent(world.bus, FLEET[2]):
            await world.until(lambda: len(events(world, "AgentSilent")) == 2)
        assert [taints(world, node) for node in FLEET[:3]] == [[]] * 3
