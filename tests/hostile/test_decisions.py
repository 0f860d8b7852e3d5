"""One claim that cannot be told, among others that are decided at the same time: it alone is declined."""

from __future__ import annotations

import asyncio
from typing import Any

from slicewire.common.bus.port import Declined
from slicewire.common.messages import ALLOCATE, CLAIMS, AllocateReply, AllocateRequest
from slicewire.common.model import ResourceClaim, wire
from tests.component.allocator.world import World, claim, of_kubernetes
from tests.hostile.world import MOST_BYTES


def large(name: str) -> ResourceClaim:
    """It can be asked, and with what is told beside it no message holds it."""
    document = wire.to_builtins(claim(name))
    room = MOST_BYTES - len(wire.encode({"claims": [document]})) - 100
    document["metadata"]["annotations"] = {"a": "x" * room}
    return wire.convert(document, ResourceClaim)


async def test_others_that_are_asked_at_the_same_time_get_their_devices(world: World) -> None:
    async def ask(one: ResourceClaim) -> Any:
        return await world.bus.ask(ALLOCATE, AllocateRequest(claims=(one,)))

    asked = [claim("a"), large("b"), claim("c"), large("d"), claim("e")]
    replies = await asyncio.gather(*map(ask, asked))
    assert [type(reply) for reply in replies] == [
        AllocateReply,
        Declined,
        AllocateReply,
        Declined,
        AllocateReply,
    ]
    assert set(await world.held()) == {"uid-a", "uid-c", "uid-e"}
    assert {key[0] for key in await world.now(CLAIMS)} == {"uid-a", "uid-c", "uid-e"}


async def test_more_failing_decisions_than_python_nests_calls_stop_nobody(world: World) -> None:
    foreign = of_kubernetes(claim("never"))
    document = wire.to_builtins(foreign)
    document["spec"] = {"devices": {"requests": [{"name": "gpu"}]}}
    for number in range(40):
        document["metadata"] |= {"uid": f"odd-{number}", "name": f"odd-{number}"}
        await world.show(wire.convert(document, ResourceClaim))
    (answer,) = await world.allocate(claim("after"))
    assert answer.allocation is not None
