"""One following for many: each hears its own key as if it followed alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from slicewire.common.bus.port import CaughtUp, Heard, StreamLost
from slicewire.common.bus.shared import SharedFollowing, ThroughBus
from slicewire.common.messages import NODES, NodeObserved
from slicewire.common.model import NodeName

Item = Heard[Any] | CaughtUp | StreamLost


class OneFollowed(ThroughBus):
    """A bus that says what it is told to."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[Item] = asyncio.Queue()
        self.followings = 0

    async def follow(self, *channels: Any) -> AsyncIterator[Heard[Any] | CaughtUp]:
        self.followings += 1
        while True:
            item = await self.said.get()
            if isinstance(item, StreamLost):
                raise item
            yield item


def of(node: str, sequence: int) -> Heard[NodeObserved]:
    return Heard(NODES, (node,), NodeObserved(name=NodeName(node), uid=f"{sequence}"), sequence, {})


@pytest.fixture
def bus() -> OneFollowed:
    return OneFollowed()


@pytest.fixture
async def shared(bus: OneFollowed) -> AsyncIterator[SharedFollowing]:
    shared = SharedFollowing(bus, [NODES])
    running = asyncio.create_task(shared.run())
    yield shared
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_each_hears_its_own_key_alone_and_when_everything_is_heard(
    bus: OneFollowed, shared: SharedFollowing
) -> None:
    a, b = shared.follow(NODES.under("a")), shared.follow(NODES.under("b"))
    firsts = [asyncio.ensure_future(anext(each)) for each in (a, b)]
    await asyncio.sleep(0)  # both follow
    for item in (of("a", 1), of("c", 2), CaughtUp(2), of("b", 3)):
        bus.said.put_nowait(item)
    assert [await firsts[0], await anext(a)] == [of("a", 1), CaughtUp(2)]
    assert [await firsts[1], await anext(b)] == [CaughtUp(2), of("b", 3)]
    assert bus.followings == 1


async def test_whoever_comes_later_hears_the_latest_first(bus: OneFollowed, shared: SharedFollowing) -> None:
    early = shared.follow(NODES.under("a"))
    for item in (of("a", 1), CaughtUp(1), of("a", 2)):
        bus.said.put_nowait(item)
    for _ in range(3):
        await anext(early)
    late = shared.follow(NODES.under("a"))
    assert [await anext(late), await anext(late)] == [of("a", 2), CaughtUp(1)]
    bus.said.put_nowait(of("a", 3))
    assert await anext(late) == await anext(early) == of("a", 3)


async def test_a_lost_stream_is_lost_to_everybody_and_followed_anew(
    bus: OneFollowed, shared: SharedFollowing
) -> None:
    a = shared.follow(NODES.under("a"))
    for item in (of("a", 7), CaughtUp(7), StreamLost("made anew")):
        bus.said.put_nowait(item)
    assert [await anext(a), await anext(a)] == [of("a", 7), CaughtUp(7)]
    with pytest.raises(StreamLost, match="made anew"):
        await anext(a)
    again = shared.follow(NODES.under("a"))
    for item in (CaughtUp(0), of("a", 1)):
        bus.said.put_nowait(item)
    assert [await anext(again), await anext(again)] == [CaughtUp(0), of("a", 1)]
    assert bus.followings == 2
