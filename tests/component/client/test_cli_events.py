"""`slicewire events`: the facts as JSON lines."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest

from slicewire.common.messages import (
    CLASSES,
    INVENTORY,
)
from tests.component.allocator.world import SECONDS, World, pool, until
from tests.component.client.command import Slicewire

pytestmark = pytest.mark.slow


async def test_events_are_json_lines_the_latest_of_every_key_first(
    world: World, slicewire: Slicewire
) -> None:
    process = await slicewire.start("events", "--kind", "inventory", "--kind", "class")
    assert process.stdout is not None
    try:
        async with asyncio.timeout(SECONDS):
            lines = [json.loads(await process.stdout.readline()) for _ in range(2)]
            await world.bus.tell(INVENTORY, pool(gpus=2, generation=2))
            new = json.loads(await process.stdout.readline())
    finally:
        process.terminate()
        await process.communicate()
    assert [line["subject"] for line in lines] == [
        CLASSES.subject("gpu.nvidia.com"),
        INVENTORY.subject("node-a", "gpu.nvidia.com"),
    ]
    assert (new["fact"]["generation"], new["source"]) == (2, "/slicewire/test")
    assert new["sequence"] > lines[1]["sequence"]


async def test_new_events_leave_out_what_was_there(world: World, slicewire: Slicewire) -> None:
    process = await slicewire.start("events", "--new")
    assert process.stdout is not None
    printed = asyncio.create_task(process.stdout.readline())
    generation = 1

    async def tell() -> bool:
        nonlocal generation
        generation += 1
        await world.bus.tell(INVENTORY, pool(gpus=2, generation=generation))
        return printed.done()

    try:
        await until(tell, bool)
        event = json.loads(await printed)
    finally:
        process.terminate()
        await process.communicate()
    assert event["subject"] == INVENTORY.subject("node-a", "gpu.nvidia.com")
    assert 1 < event["fact"]["generation"] <= generation


async def test_an_unknown_kind_of_event_is_refused_with_those_there_are(slicewire: Slicewire) -> None:
    ended = await slicewire("events", "--kind", "dream")
    assert ended.status == 2
    assert ended.err.startswith("--kind 'dream' is not one of inventory, node, class, taintrule, claim, ")


async def test_a_reader_that_leaves_early_is_no_error(world: World, slicewire: Slicewire) -> None:
    process = await slicewire.start("events", "--kind", "inventory")
    assert process.stdout is not None
    assert process.stderr is not None
    async with asyncio.timeout(SECONDS):
        await process.stdout.readline()
        process.stdout._transport.close()  # type: ignore[attr-defined]  # as `| head -1` does
        generation = 2
        while process.returncode is None:
            await world.bus.tell(INVENTORY, pool(gpus=2, generation=generation))
            generation += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 0.05)
        assert await process.stderr.read() == b""
