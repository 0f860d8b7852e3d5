"""The client library looks back, with an allocator and without."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from slicewire.client import Client, SaidNo
from slicewire.client.library import ref
from slicewire.common.bus.nats import NatsBus
from slicewire.common.bus.port import CaughtUp, Heard
from slicewire.common.messages import ANSWERS, INVENTORY, PoolObserved
from tests.component.allocator.world import DRIVER, World, claim, pool
from tests.past import History


async def test_an_inventory_of_then_has_an_end_and_needs_no_allocator(bus: NatsBus) -> None:
    history = History(bus)
    event = await history.tell(INVENTORY, pool("node-a", 2))
    await history.tell(INVENTORY, pool("node-a", 3, generation=2))
    heard = [each async for each in Client(bus).inventory(at=event)]
    assert heard == [pool("node-a", 2), CaughtUp(event)]


async def test_an_event_that_is_none_is_said_so(bus: NatsBus) -> None:
    with pytest.raises(SaidNo, match="event 5 has not been told yet") as said:
        await anext(aiter(Client(bus).inventory(at=5)))
    assert said.value.code == 404


async def test_events_are_numbered_as_the_history_does_and_go_on(bus: NatsBus) -> None:
    history = History(bus)
    old = await history.tell(INVENTORY, pool("node-a"))
    kept = await history.tell(INVENTORY, pool("node-b"))
    await history.forget_before(kept)
    events: AsyncIterator[Heard[PoolObserved] | CaughtUp] = Client(bus).events(INVENTORY)
    first, second, caught_up = [await anext(events) for _ in range(3)]
    assert isinstance(first, Heard)
    assert isinstance(second, Heard)
    assert (first.key[0], first.event, second.key[0], second.event) == ("node-a", 0, "node-b", kept)
    assert caught_up == CaughtUp(kept)
    await bus.tell(INVENTORY, pool("node-a", generation=2))
    new = await anext(events)
    assert isinstance(new, Heard)
    assert (new.event, new.sequence, old) == (kept + 1, 3, kept - 1)


@pytest.mark.slow
async def test_questions_about_then_are_answered_as_of_then(world: World) -> None:
    client, history = Client(world.bus), History(world.bus)
    await history.of(INVENTORY, "node-a", DRIVER)
    await client.allocate(claim("both", 2))
    at = await history.of(ANSWERS, "uid-both")
    await client.release(ref("both"))
    assert (await client.capacity(at=at)).classes[0].free == 0
    assert (await client.capacity()).classes[0].free == 2
    late = await client.explain(claim("late"), at=at)
    assert (late.answer.allocation, late.as_of and late.as_of.event) == (None, at)
    would = await client.what_if(claim("late"), releasing=[ref("both")], at=at)
    assert (would.answers[0].node, would.as_of and would.as_of.event) == ("node-a", at)
