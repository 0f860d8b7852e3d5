"""What is measured of the bus, on a real nats-server: facts, questions, and how far behind who follows is."""

from __future__ import annotations

import asyncio

import pytest

from slicewire.client.local.broker import Broker
from slicewire.common import vitals
from slicewire.common.bus.nats import NatsBus
from slicewire.common.bus.port import ABSENT, CaughtUp, Declined, Heard, Stale, Write
from slicewire.common.messages import ALIVE, INVENTORY, AliveReply, AliveRequest
from slicewire.common.model import DriverName, NodeName
from tests.component.allocator.world import DRIVER, pool, until

STATE = "SLICEWIRE_STATE"


def behind() -> tuple[float, float, float]:
    """Messages, seconds, and seconds of silence, of the one who follows."""
    gauges = (vitals.FOLLOWER_BEHIND, vitals.FOLLOWER_BEHIND_SECONDS, vitals.FOLLOWER_SILENT_SECONDS)
    messages, seconds, silent = (dict(gauge.samples())[(STATE,)] for gauge in gauges)
    return messages, seconds, silent


async def test_facts_are_counted_by_kind_and_stale_commits_apart(bus: NatsBus) -> None:
    told, heard, stale = (
        vitals.FACTS_TOLD.value("inventory"),
        vitals.FACTS_HEARD.value("inventory"),
        vitals.COMMITS_STALE.value(),
    )
    await bus.tell(INVENTORY, pool())
    write = Write(INVENTORY, ("node-a", DRIVER), pool(generation=2), expected=ABSENT)
    assert isinstance(await bus.commit([write]), Stale)
    async for each in bus.follow(INVENTORY):
        if isinstance(each, CaughtUp):
            break
    assert vitals.FACTS_TOLD.value("inventory") == told + 1
    assert vitals.FACTS_HEARD.value("inventory") == heard + 1
    assert vitals.COMMITS_STALE.value() == stale + 1


async def test_who_does_not_keep_up_is_behind_until_it_has(bus: NatsBus) -> None:
    following = bus.follow(INVENTORY)
    assert isinstance(await anext(following), CaughtUp)
    assert behind()[:2] == (0, 0)
    for number in range(20):
        await bus.tell(INVENTORY, pool(f"node-{number}"))
    first = await anext(following)
    assert isinstance(first, Heard)

    async def look() -> tuple[float, float, float]:
        return behind()

    _, seconds, silent = await until(look, lambda found: found[0] == 19)
    assert 0 < seconds < 60
    assert 0 <= silent < 60
    for _ in range(19):
        await anext(following)
    assert behind()[:2] == (0, 0)
    await following.aclose()  # type: ignore[attr-defined]

    async def are_gone() -> bool:
        return not vitals.FOLLOWER_BEHIND.samples()

    await until(are_gone, bool)


async def test_a_connection_is_seen_to_go_and_come_back(broker: Broker, bus: NatsBus) -> None:
    async def look() -> float:
        return dict(vitals.BUS_CONNECTED.samples())[()]

    came_back = vitals.BUS_RECONNECTS.value()
    assert await look() == 1
    await broker.kill()
    await until(look, lambda found: found == 0)
    await broker.start()
    await until(look, lambda found: found == 1)

    async def count() -> float:
        return vitals.BUS_RECONNECTS.value()

    assert await until(count, lambda found: found > came_back) == came_back + 1


@pytest.mark.parametrize(("answer", "code"), [(None, "200"), (Declined(404, "nobody"), "404")])
async def test_a_question_is_counted_by_what_came_of_it(
    bus: NatsBus, answer: Declined | None, code: str
) -> None:
    async def say(_: AliveRequest) -> AliveReply | Declined:
        return answer or AliveReply(NodeName("node-a"), DriverName(DRIVER), 1)

    before = vitals.ANSWERS.value("alive", code), vitals.ANSWER_SECONDS.count("alive")
    async with bus.serve({ALIVE: say}, "node-a", DRIVER, name="test"):
        await bus.ask(ALIVE, AliveRequest(), "node-a", DRIVER)
    after = vitals.ANSWERS.value("alive", code), vitals.ANSWER_SECONDS.count("alive")
    assert after == (before[0] + 1, before[1] + 1)


async def test_what_cannot_be_read_is_counted(bus: NatsBus) -> None:
    before = vitals.UNREADABLE.value()
    await bus._client.publish(INVENTORY.subject("node-a", DRIVER), b"{")
    await bus.tell(INVENTORY, pool("node-b"))
    async with asyncio.timeout(10):
        async for each in bus.follow(INVENTORY):
            if isinstance(each, CaughtUp):
                break
    assert vitals.UNREADABLE.value() == before + 1
