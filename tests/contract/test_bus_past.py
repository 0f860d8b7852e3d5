"""Looking back: the state as of an event of the history, and the events again, on a real nats-server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from slicewire.common.bus.nats import NatsBus
from slicewire.common.bus.port import BusUnavailable, CaughtUp, Committed, Declined, Past, Write
from slicewire.common.messages import (
    CATALOGUE,
    HISTORY_STREAM,
    INVENTORY,
    LEDGERS,
    STATE_STREAM,
    LedgerWritten,
    PoolObserved,
)
from slicewire.common.model import DriverName, NodeName, PoolName
from tests.past import History

pytestmark = pytest.mark.slow

KEEP_MORE = "to keep more, raise max_age and max_bytes of the stream SLICEWIRE_HISTORY"


def pool(node: str, generation: int = 1) -> PoolObserved:
    return PoolObserved(
        node=NodeName(node), driver=DriverName("d"), pool=PoolName(node), generation=generation
    )


def ledger(node: str) -> LedgerWritten:
    return LedgerWritten(node=NodeName(node), driver=DriverName("d"))


def generations(found: Past | Declined) -> dict[str, int]:
    assert isinstance(found, Past), found
    return {
        fact.node: fact.generation for heard in found.facts if isinstance(fact := heard.fact, PoolObserved)
    }


async def change_history(bus: NatsBus, **settings: Any) -> None:
    """As an operator would."""
    info = await bus.link.api(f"STREAM.INFO.{HISTORY_STREAM}", {})
    await bus.link.api(f"STREAM.UPDATE.{HISTORY_STREAM}", {**info["config"], **settings})


@pytest.fixture
def history(bus: NatsBus) -> History:
    return History(bus)


async def test_every_key_is_as_it_was_right_after_the_event(bus: NatsBus, history: History) -> None:
    first = await history.tell(INVENTORY, pool("a.b", 1))
    second = await history.tell(INVENTORY, pool("c", 1))
    third = await history.tell(INVENTORY, pool("a.b", 2))
    assert generations(await bus.as_of(first, INVENTORY)) == {"a.b": 1}
    assert generations(await bus.as_of(second, INVENTORY)) == {"a.b": 1, "c": 1}
    assert generations(await bus.as_of(third, INVENTORY)) == {"c": 1, "a.b": 2}
    assert generations(await bus.as_of(None, INVENTORY)) == {"c": 1, "a.b": 2}


async def test_a_past_fact_has_both_its_numbers_and_its_envelope(bus: NatsBus, history: History) -> None:
    await history.tell(INVENTORY, pool("a"))
    event = await history.tell(INVENTORY, pool("b"))
    found = await bus.as_of(event, INVENTORY)
    assert isinstance(found, Past)
    told = found.facts[-1]
    assert (told.event, told.sequence, told.key) == (event, 2, ("b", "d"))
    assert told.headers["ce-source"] == "/slicewire/test"
    assert (found.moment.event, found.moment.time, found.moment.gaps) == (event, told.headers["ce-time"], ())


async def test_a_key_that_had_ended_is_left_out_and_one_that_ended_later_is_there(
    bus: NatsBus, history: History
) -> None:
    before = await history.tell(INVENTORY, pool("a"))
    gone = await history.write(Write(INVENTORY, ("a", "d"), None))
    assert generations(await bus.as_of(before, INVENTORY)) == {"a": 1}
    assert generations(await bus.as_of(gone, INVENTORY)) == {}


async def test_only_the_channels_asked_for_are_told(bus: NatsBus, history: History) -> None:
    await history.tell(LEDGERS, ledger("a"))
    event = await history.tell(INVENTORY, pool("a"))
    found = await bus.as_of(event, LEDGERS)
    assert isinstance(found, Past)
    assert [heard.channel.kind for heard in found.facts] == ["ledger"]


@pytest.mark.slow
async def test_more_keys_than_the_server_gives_at_once_are_all_there(bus: NatsBus, history: History) -> None:
    await history.tell(INVENTORY, pool("first"))
    for start in (0, 800):
        nodes = [f"n{number}" for number in range(start, start + 800)]
        kept = await bus.commit([Write(INVENTORY, (node, "d"), pool(node)) for node in nodes])
        assert isinstance(kept, Committed)
        event = await history.event(kept.sequence)
    assert len(generations(await bus.as_of(event, INVENTORY))) == 1601
    assert len(generations(await bus.as_of(event - 800, INVENTORY))) == 801


async def test_an_event_that_is_none_is_declined_with_those_there_are(bus: NatsBus, history: History) -> None:
    assert await bus.as_of(1, INVENTORY) == Declined(404, "event 1 has not been told yet: the last one is 0")
    last = await history.tell(INVENTORY, pool("a"))
    assert await bus.as_of(last + 1, INVENTORY) == Declined(
        404, f"event {last + 1} has not been told yet: the last one is {last}"
    )
    assert await bus.as_of(-1, INVENTORY) == Declined(400, "event -1: the first event is 1")


async def test_before_anything_was_told_the_last_moment_is_empty(bus: NatsBus) -> None:
    found = await bus.as_of(None, *CATALOGUE)
    assert isinstance(found, Past)
    assert (found.moment.event, found.facts) == (0, ())


async def test_an_event_that_is_no_longer_kept_is_declined_with_how_to_keep_more(
    bus: NatsBus, history: History
) -> None:
    first = await history.tell(INVENTORY, pool("a"))
    second = await history.tell(INVENTORY, pool("b"))
    await history.forget_before(second)
    assert await bus.as_of(first, INVENTORY) == Declined(
        404, f"event {first} is no longer kept: the first one is {second}; {KEEP_MORE}"
    )


async def test_a_fact_older_than_the_history_that_still_holds_is_there(
    bus: NatsBus, history: History
) -> None:
    await history.tell(INVENTORY, pool("old"))
    event = await history.tell(INVENTORY, pool("b"))
    await history.forget_before(event)
    found = await bus.as_of(event, INVENTORY)
    assert generations(found) == {"old": 1, "b": 1}
    assert isinstance(found, Past)
    assert [heard.event for heard in found.facts] == [0, event]
    assert found.moment.gaps == ()


async def test_a_fact_that_is_gone_for_good_is_said_to_be_missing(bus: NatsBus, history: History) -> None:
    await history.tell(INVENTORY, pool("changed", 1))
    event = await history.tell(INVENTORY, pool("b"))
    await history.tell(INVENTORY, pool("changed", 2))
    await history.forget_before(event)
    found = await bus.as_of(event, INVENTORY)
    assert generations(found) == {"b": 1}
    assert isinstance(found, Past)
    begin = f"the history begins with event {event}"
    key = INVENTORY.subject("changed", "d")
    assert found.moment.gaps == (
        f"{begin} and does not tell whether {key} was there before: left out; {KEEP_MORE}",
    )


async def test_a_fact_superseded_before_the_history_had_it_is_said_to_be_missing(
    bus: NatsBus, history: History
) -> None:
    await history.tell(INVENTORY, pool("a"))
    await change_history(bus, sources=[])
    await bus.tell(INVENTORY, pool("b", 1))
    await bus.tell(INVENTORY, pool("b", 2))
    await change_history(bus, sources=[{"name": STATE_STREAM}])
    event = await history.tell(INVENTORY, pool("c"))
    found = await bus.as_of(event, INVENTORY)
    assert isinstance(found, Past)
    (gap,) = found.moment.gaps
    assert gap.startswith("1 fact shortly before it had been superseded before the history had them")


async def test_a_message_that_cannot_be_read_is_counted_and_the_rest_is_there(
    bus: NatsBus, history: History
) -> None:
    await bus.link.send("slicewire.v1.state.inventory.bad.d", b"{")
    event = await history.tell(INVENTORY, pool("good"))
    assert generations(await bus.as_of(event, INVENTORY)) == {"good": 1}
    assert bus.poisoned


async def test_a_history_that_may_not_be_read_is_said_to_be_so(bus: NatsBus, history: History) -> None:
    event = await history.tell(INVENTORY, pool("a"))
    await change_history(bus, allow_direct=False)
    with pytest.raises(BusUnavailable, match="allow_direct"):
        await bus.as_of(event, INVENTORY)


async def test_replaying_tells_every_event_after_one_and_then_what_is_new(
    bus: NatsBus, history: History
) -> None:
    first = await history.tell(INVENTORY, pool("a", 1))
    await history.tell(INVENTORY, pool("a", 2))
    last = await history.tell(INVENTORY, pool("a", 3))
    replayed: AsyncIterator[Any] = bus.replay(first, INVENTORY)
    told = [await anext(replayed) for _ in range(2)]
    assert [(heard.event, heard.fact.generation) for heard in told] == [(last - 1, 2), (last, 3)]
    assert isinstance(await anext(replayed), CaughtUp)
    await bus.tell(INVENTORY, pool("a", 4))
    assert (await anext(replayed)).fact.generation == 4


async def test_replaying_from_the_end_is_caught_up_at_once(bus: NatsBus, history: History) -> None:
    last = await history.tell(INVENTORY, pool("a"))
    assert isinstance(await anext(bus.replay(last, INVENTORY)), CaughtUp)
