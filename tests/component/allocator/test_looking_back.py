"""Questions about the past: what was so after an event of the history, whatever is so now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from slicewire.allocator.past import Pasts
from slicewire.common.bus.nats import NatsBus
from slicewire.common.bus.port import Declined, Write
from slicewire.common.messages import (
    ANSWERS,
    CAPACITY,
    EXPLAIN,
    INVENTORY,
    LEDGERS,
    SLICEWIRE,
    WHATIF,
    CapacityReply,
    CapacityRequest,
    ClaimRef,
    ExplainReply,
    ExplainRequest,
    WhatIfReply,
    WhatIfRequest,
)
from slicewire.common.model import ClaimUID
from tests.component.allocator.world import DRIVER, World, claim, pool, remembered
from tests.past import History

pytestmark = pytest.mark.slow


@pytest.fixture
async def world(bus: NatsBus, nats_url: str, history: History) -> AsyncIterator[World]:
    async with remembered(bus, nats_url, history) as world:
        yield world


def known(name: str) -> ClaimRef:
    return ClaimRef(uid=ClaimUID(f"uid-{name}"))


async def explained(world: World, name: str, at: int | None = None) -> ExplainReply:
    reply = await world.bus.ask(EXPLAIN, ExplainRequest(claim=known(name), at=at))
    assert isinstance(reply, ExplainReply), reply
    return reply


async def test_a_claim_that_was_refused_then_and_holds_devices_now_is_explained_as_it_was(
    world: World, history: History
) -> None:
    await world.allocate(claim("all", 8))
    await world.allocate(claim("late", 2))
    refused = await history.of(ANSWERS, "uid-late")
    await world.release("uid-all")
    await history.of(ANSWERS, "uid-late")
    assert (await explained(world, "late")).held
    then = await explained(world, "late", refused)
    assert (then.held, then.answer.allocation) == (False, None)
    assert then.answer.refusal is not None
    assert then.as_of is not None
    assert (then.as_of.event, then.as_of.gaps) == (refused, ())
    assert then.as_of.time.endswith("Z")


async def test_a_released_claim_still_held_its_devices_then(world: World, history: History) -> None:
    await world.allocate(claim("one", 2))
    answered = await history.of(ANSWERS, "uid-one")
    await world.release("uid-one")
    released = await history.of(ANSWERS, "uid-one")
    then = await explained(world, "one", answered)
    assert then.held
    assert then.answer.allocation is not None
    assert [result.device for result in then.answer.allocation.devices.results] == ["gpu-0", "gpu-1"]
    gone = await world.bus.ask(EXPLAIN, ExplainRequest(claim=known("one"), at=released))
    assert gone == Declined(404, f"as of event {released}, there is no claim uid-one")


async def test_whatif_counts_devices_of_a_node_that_is_gone_now(world: World, history: History) -> None:
    with_both = await history.tell(INVENTORY, pool("node-b", 12))
    await history.write(Write(INVENTORY, ("node-b", DRIVER), None))
    question = WhatIfRequest(claims=(claim("twelve", 12),))
    now = await world.bus.ask(WHATIF, question)
    then = await world.bus.ask(WHATIF, msgspec.structs.replace(question, at=with_both))
    assert isinstance(now, WhatIfReply)
    assert isinstance(then, WhatIfReply)
    assert (now.answers[0].node, now.as_of) == ("", None)
    assert then.answers[0].node == "node-b"
    assert then.as_of is not None


async def test_capacity_then_is_that_of_then(world: World, history: History) -> None:
    await world.allocate(claim("three", 3))
    three = await history.of(LEDGERS, "node-a", DRIVER)
    await world.release("uid-three")
    none = await history.of(LEDGERS, "node-a", DRIVER)
    free = []
    for event in (three, none):
        reply = await world.bus.ask(CAPACITY, CapacityRequest(at=event))
        assert isinstance(reply, CapacityReply)
        free.append(reply.classes[0].free)
    assert free == [5, 8]


@pytest.mark.slow
async def test_a_past_question_changes_nothing_and_decides_nothing(world: World, history: History) -> None:
    await world.allocate(claim("one"))
    event = await history.of(ANSWERS, "uid-one")
    await world.release("uid-one")
    await explained(world, "one", event)
    assert await world.held() == {}


@pytest.mark.parametrize(("at", "code"), [(-1, 400), (10_000, 404)])
async def test_an_event_that_is_none_is_declined_whatever_is_asked(world: World, at: int, code: int) -> None:
    for endpoint, request in (
        (EXPLAIN, ExplainRequest(document=claim("c"), at=at)),
        (WHATIF, WhatIfRequest(claims=(claim("c"),), at=at)),
        (CAPACITY, CapacityRequest(at=at)),
    ):
        declined = await world.bus.ask(endpoint, request)  # type: ignore[misc]  # of three kinds
        assert isinstance(declined, Declined)
        assert (declined.code, declined.reason.startswith(f"event {at}")) == (code, True)


async def test_no_event_and_event_0_are_now(world: World) -> None:
    reply = await world.bus.ask(CAPACITY, CapacityRequest(at=0))
    assert isinstance(reply, CapacityReply)
    assert reply.as_of is None


@pytest.mark.slow
async def test_claims_are_decided_while_many_ask_about_many_moments(world: World, history: History) -> None:
    events = [await history.tell(INVENTORY, pool(f"node-{number}", 1)) for number in range(12)]
    asked = [asyncio.ensure_future(world.bus.ask(CAPACITY, CapacityRequest(at=event))) for event in events]
    (answer,) = await world.allocate(claim("one"))
    assert answer.allocation is not None
    for number, reply in enumerate(await asyncio.gather(*asked)):
        assert isinstance(reply, CapacityReply)
        assert len(reply.pools) == number + 2


@pytest.mark.slow
async def test_the_last_few_moments_are_kept_and_no_more(world: World, history: History) -> None:
    events = [await history.tell(INVENTORY, pool(f"node-{number}", 1)) for number in range(6)]
    pasts = Pasts(world.bus, SLICEWIRE)
    seen = [await pasts.seen(event) for event in events]
    assert await pasts.seen(events[-1]) is seen[-1]
    assert await pasts.seen(events[2]) is seen[2]
    assert await pasts.seen(events[0]) is not seen[0]


@pytest.mark.slow
async def test_many_who_ask_about_one_moment_get_one_view(world: World, history: History) -> None:
    event = await history.tell(INVENTORY, pool("node-b", 1))
    pasts = Pasts(world.bus, SLICEWIRE)
    seen = await asyncio.gather(*(pasts.seen(event) for _ in range(8)))
    assert len({id(each) for each in seen}) == 1
