"""The checker is no rubber stamp: it catches allocators whose commit does not look before it writes."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from slicewire.common.bus.link import Message
from slicewire.common.bus.nats import NatsBus, connected
from slicewire.common.bus.port import BusUnavailable
from slicewire.common.messages import ALLOCATE, AllocateRequest
from slicewire.common.model import ResourceClaim, wire
from tests.component.allocator.world import World, claim, pool, until
from tests.soak import checker, cluster, history

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]
_CLAIMS = 24


async def found_by_the_checker(folder: Path, *arguments: str) -> tuple[str, ...]:
    """Two allocators that hear each other late, and users who ask for more than there is, all at once."""
    program = cluster.module(folder, "tests.soak.broken", *arguments)
    async with (
        cluster.running(folder, 2, program) as running,
        connected(running.broker.url, name="test", patience_seconds=20) as bus,
    ):
        await World(bus).begin(pool(gpus=8))
        await asyncio.wait_for(both_answer(bus), 40)
        await asyncio.gather(*(ask(bus, claim(f"c{number}")) for number in range(_CLAIMS)))
        await until(lambda: history.source_lag(bus.link), lambda lag: lag == 0)
        await history.save(bus.link, folder / "history.jsonl")
    return checker.violations(history.load(folder / "history.jsonl"), ())


async def ask(bus: NatsBus, wanted: ResourceClaim) -> None:
    """As a client that asks again until it is answered."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await answered(bus, wanted)
            except BusUnavailable:
                continue


async def answered(bus: NatsBus, wanted: ResourceClaim) -> None:
    await bus.ask(ALLOCATE, AllocateRequest(claims=(wanted,)), timeout_seconds=5)


async def both_answer(bus: NatsBus) -> None:
    """Until two allocators are there for questions."""
    found: set[str] = set()
    async with bus.link.listen() as (subject, inbox):
        while len(found) < 2:
            await bus.link.send("$SRV.INFO.slicewire-allocator", b"", subject)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    while isinstance(item := await inbox.get(), Message):
                        found |= _answering(item.data)


def _answering(data: bytes) -> set[str]:
    """Who says so, if it takes questions already; the server itself says nothing."""
    told = wire.decode(data, dict[str, Any]) if data else {"endpoints": []}
    return {told["id"]} if any(each["name"] == ALLOCATE.name for each in told["endpoints"]) else set()


async def test_a_commit_that_does_not_look_is_found_to_give_a_device_twice(tmp_path: Path) -> None:
    found = await found_by_the_checker(tmp_path, "unfenced")
    assert any("is given twice: to claim uid-c" in sentence for sentence in found), found


async def test_the_real_commit_gives_nothing_twice_in_the_same_world(tmp_path: Path) -> None:
    assert await found_by_the_checker(tmp_path) == ()
