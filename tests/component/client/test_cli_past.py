"""`--at`: what was so after an event, by the number that `slicewire events` shows."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.component.allocator.world import SECONDS, World, until
from tests.component.client.command import ALLOCATE, Slicewire, yaml_claim

pytestmark = pytest.mark.slow


async def numbered(slicewire: Slicewire, *kinds: str, count: int) -> list[Any]:
    """The first lines of `slicewire events`."""
    process = await slicewire.start("events", *(word for kind in kinds for word in ("--kind", kind)))
    assert process.stdout is not None
    try:
        async with asyncio.timeout(SECONDS):
            return [json.loads(await process.stdout.readline()) for _ in range(count)]
    finally:
        process.terminate()
        await process.communicate()


async def test_the_number_that_events_shows_is_the_one_that_at_takes(
    world: World, slicewire: Slicewire
) -> None:
    await slicewire(*ALLOCATE, given=yaml_claim("one", 2))
    await slicewire(*ALLOCATE, given=yaml_claim("late", 1))
    answers = await numbered(slicewire, "answer", count=2)
    late = max(line["sequence"] for line in answers)
    time = next(line["time"] for line in answers if line["sequence"] == late)
    await slicewire("release", "one")
    await until(world.held, lambda held: len(held) == 1)
    now = await slicewire("explain", "late", "-o", "table")
    assert now.out == "default/late holds gpu-0 on node-a\n"
    then = await slicewire("explain", "late", "--at", str(late), "-o", "table")
    assert (then.status, then.err) == (0, f"As of event {late}, {time}:\n")
    assert then.out.startswith("default/late: ")
    as_json = (await slicewire("explain", "late", "--at", str(late), "-o", "json")).json
    assert as_json["asOf"] == {"event": late, "time": time}
    held = await slicewire("explain", "one", "--at", str(late), "-o", "table")
    assert held.out == "default/one held gpu-0, gpu-1 on node-a\n"


async def test_inventory_capacity_and_whatif_of_then(world: World, slicewire: Slicewire) -> None:
    await slicewire(*ALLOCATE, given=yaml_claim("one", 2))
    (answer,) = await numbered(slicewire, "answer", count=1)
    at = ("--at", str(answer["sequence"]))
    await slicewire("release", "one")
    then = await slicewire("inventory", *at)
    assert [row["state"] for row in then.json] == ["default/one", "default/one"]
    assert [row["state"] for row in (await slicewire("inventory")).json] == ["free", "free"]
    (row,) = (await slicewire("capacity", *at)).json["classes"]
    assert row["free"] == 0
    given = yaml_claim("other")
    no = await slicewire("whatif", "-f", "-", *at, "-o", "table", given=given)
    assert (no.status, no.out.startswith("No: ")) == (1, True)
    yes = await slicewire("whatif", "-f", "-", *at, "-o", "table", "--releasing", "one", given=given)
    assert (yes.status, yes.out) == (0, "default/other would have got gpu-0 on node-a\n")
    would = await slicewire("explain", "-f", "-", *at, "-o", "table", given=yaml_claim("one", 2))
    assert would.out == "default/one held gpu-0, gpu-1 on node-a\n"


@pytest.mark.parametrize("command", [("inventory",), ("capacity",), ("explain", "one")])
async def test_an_event_that_has_not_been_told_is_one_line(
    world: World, slicewire: Slicewire, command: tuple[str, ...]
) -> None:
    ended = await slicewire(*command, "--at", "10000")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith("event 10000 has not been told yet: the last one is ")


@pytest.mark.parametrize("wrong", ["0", "-3", "yesterday"])
async def test_what_is_no_number_of_an_event_is_refused(slicewire: Slicewire, wrong: str) -> None:
    ended = await slicewire("inventory", "--at", wrong)
    assert ended.status == 2
    assert "'--at'" in ended.err


async def test_the_past_cannot_be_watched(slicewire: Slicewire) -> None:
    ended = await slicewire("inventory", "--watch", "--at", "1")
    assert (ended.status, ended.err) == (2, "give --watch or --at, not both: what was does not change\n")
