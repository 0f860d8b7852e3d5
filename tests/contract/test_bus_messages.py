"""Messages as a real server sends them: large ones, many at once, and answers that come too late."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from slicewire.common.bus.nats import NatsBus
from slicewire.common.bus.port import BusUnavailable, CaughtUp, Committed, Write
from slicewire.common.messages import INVENTORY, RELEASE, ClaimRef, PoolObserved, ReleaseReply, ReleaseRequest
from slicewire.common.model import ClaimUID, NodeName, PoolName
from tests.builders import DRIVER, a_gpu


def pool(node: str, gpus: int) -> PoolObserved:
    devices = tuple(a_gpu(at) for at in range(gpus))
    return PoolObserved(
        node=NodeName(node), driver=DRIVER, pool=PoolName(node), generation=1, devices=devices
    )


async def test_facts_of_every_size_are_heard_as_they_were_told(bus: NatsBus) -> None:
    """The largest comes in a dozen reads, the smallest come by the dozen in one."""
    told = {f"n{at}": pool(f"n{at}", 1) for at in range(150)}
    told |= {"half": pool("half", 400), "whole": pool("whole", 3000), "last": pool("last", 1)}
    writes = [Write(INVENTORY, INVENTORY.key(each), each) for each in told.values()]
    assert isinstance(await bus.commit(writes), Committed)

    heard: dict[str, Any] = {}
    async with asyncio.timeout(10):
        async for each in bus.follow(INVENTORY):
            if isinstance(each, CaughtUp):
                break
            assert each.headers["ce-type"] == "dev.slicewire.v1.PoolObserved"
            heard[each.key[0]] = each.fact

    assert heard == told


async def test_an_answer_that_is_late_is_nobodys(bus: NatsBus) -> None:
    asked_again = asyncio.Event()

    async def release(request: ReleaseRequest) -> ReleaseReply:
        if request.claim.uid == "slow":
            await asked_again.wait()
        return ReleaseReply(released=request.claim)

    async with bus.serve({RELEASE: release}, name="allocator"):
        slow = ReleaseRequest(claim=ClaimRef(uid=ClaimUID("slow")))
        with pytest.raises(BusUnavailable, match="TimeoutError"):
            await bus.ask(RELEASE, slow, timeout_seconds=0.05)
        asked_again.set()
        for uid in ("a", "b"):
            ref = ClaimRef(uid=ClaimUID(uid))
            assert await bus.ask(RELEASE, ReleaseRequest(claim=ref)) == ReleaseReply(released=ref)
