"""`slicewire claims`, `inventory`, `explain`, `release`: what there is, and what is missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from slicewire.common.bus.nats import NatsBus
from slicewire.common.messages import (
    INVENTORY,
)
from tests.component.allocator.world import World, pool
from tests.component.client.command import ALLOCATE, Ended, Slicewire, yaml_claim, yaml_pod

pytestmark = pytest.mark.slow


async def test_claims_lists_what_each_holds_and_release_gives_it_back(
    world: World, slicewire: Slicewire
) -> None:
    await slicewire(*ALLOCATE, given=yaml_claim() + yaml_claim("big", 2))
    listed = {row["claim"]: row for row in (await slicewire("claims")).json}
    assert (listed["default/train"]["state"], listed["default/train"]["devices"]) == ("allocated", ["gpu-0"])
    assert listed["default/big"]["state"] == "waiting"
    assert listed["default/big"]["note"]
    released = await slicewire("release", "train")
    assert (released.status, released.out) == (0, "default/train is released\n")
    again = await slicewire("release", "default/train")
    assert (again.status, again.err.count("\n")) == (1, 1)
    assert "default/train" in again.err
    table = await slicewire("claims", "-o", "table")
    assert "default/train" not in table.out
    assert table.out.splitlines()[0].split() == ["CLAIM", "STATE", "NODE", "DEVICES", "DECIDED", "BY", "NOTE"]


async def test_without_claims_the_next_step_is_shown(world: World, slicewire: Slicewire) -> None:
    assert (await slicewire("claims")).json == []
    told = await slicewire("claims", "--output", "table")
    assert told.out == "There are no claims. Make one: slicewire claim -f FILE\n"


async def test_the_inventory_as_a_table_and_as_json(world: World, slicewire: Slicewire) -> None:
    await slicewire(*ALLOCATE, given=yaml_claim())
    found = await slicewire("inventory", "-o", "json")
    assert [(row["device"], row["state"]) for row in found.json] == [
        ("gpu-0", "default/train"),
        ("gpu-1", "free"),
    ]
    table = (await slicewire("inventory", "-o", "table")).out.splitlines()
    assert table[0].split() == ["NODE", "DEVICE", "PRODUCT", "MEMORY", "PCIE", "ROOT", "NUMA", "STATE"]
    assert [line.split() for line in table[1:]] == [
        ["node-a", "gpu-0", "default/train"],
        ["node-a", "gpu-1", "free"],
    ]


async def test_explain_says_what_a_claim_holds_or_would_get_or_why_it_waits(
    world: World, slicewire: Slicewire
) -> None:
    await slicewire(*ALLOCATE, given=yaml_claim())
    holds = await slicewire("explain", "train", "-o", "table")
    assert (holds.status, holds.out) == (0, "default/train holds gpu-0 on node-a\n")
    both = await slicewire(
        "explain", "-f", "-", "-o", "table", given=yaml_claim("one") + yaml_claim("two", 2)
    )
    would, why = both.out.splitlines()[:2]
    assert would == "default/one would get gpu-1 on node-a"
    assert why.startswith("default/two: ")
    same = await slicewire("explain", "-f", "-", "-o", "table", given=yaml_claim())
    assert same.out == "default/train holds gpu-0 on node-a\n"
    assert list(await world.held()) == [holds_uid(await slicewire("explain", "default/train"))]
    unknown = await slicewire("explain", "nobody")
    assert (unknown.status, unknown.out) == (1, "")
    assert "default/nobody" in unknown.err
    for wrong in (("explain",), ("explain", "train", "-f", "-")):
        told = await slicewire(*wrong)
        assert (told.status, told.err) == (2, "give the name of a claim, or -f FILE\n")


def holds_uid(explained: Ended) -> str:
    assert explained.json["held"]
    return str(explained.json["answer"]["claim"]["uid"])


@pytest.mark.parametrize("arguments", [("claims",), ("claim", "-f", "-")])
async def test_without_a_server_there_is_one_line_and_the_next_step(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    ended = await Slicewire("nats://127.0.0.1:1", tmp_path)(*arguments, given=yaml_claim())
    assert (ended.status, ended.out) == (1, "")
    reason, step = ended.err.splitlines()
    assert "nats://127.0.0.1:1" in reason
    assert step == "Start one with `slicewire up`, or name one with --nats-url."


async def test_without_an_allocator_it_is_said_who_does_not_answer(
    bus: NatsBus, slicewire: Slicewire
) -> None:
    await bus.tell(INVENTORY, pool())
    ended = await slicewire("release", "train")
    assert (ended.status, ended.err) == (1, "no allocator answers release requests\n")


async def test_the_bus_of_a_running_up_is_found(world: World, nats_url: str, tmp_path: Path) -> None:
    command = Slicewire("", tmp_path)
    (tmp_path / "slicewire").mkdir()
    (tmp_path / "slicewire" / "up.json").write_text(json.dumps({"nats_url": nats_url}))
    assert len((await command("inventory")).json) == 2


async def test_a_claim_that_two_pods_share_is_explained_once(world: World, slicewire: Slicewire) -> None:
    given = yaml_claim("shared") + yaml_pod("a", "shared") + yaml_pod("b", "shared")
    ended = await slicewire("explain", "-o", "table", "-f", "-", given=given)
    assert ended.out == "default/shared would get gpu-0 on node-a\n"


async def test_whatif_says_whether_it_would_fit_and_changes_nothing(
    world: World, slicewire: Slicewire
) -> None:
    await slicewire(*ALLOCATE, given=yaml_claim())
    both = yaml_claim("one") + yaml_claim("two")
    no = await slicewire("whatif", "-f", "-", "-o", "table", given=both)
    assert (no.status, no.out.startswith("No: ")) == (1, True)
    yes = await slicewire("whatif", "-f", "-", "-o", "table", "--releasing", "train", given=both)
    assert (yes.status, yes.out.splitlines()) == (
        0,
        ["default/one would get gpu-0 on node-a", "default/two would get gpu-1 on node-a"],
    )
    assert list((await world.held()).values()) == [["node-a/gpu-0"]]
    unknown = await slicewire("whatif", "-f", "-", "--releasing", "nobody", given=both)
    assert (unknown.status, "default/nobody" in unknown.err) == (1, True)


async def test_capacity_counts_what_is_free(world: World, slicewire: Slicewire) -> None:
    await slicewire(*ALLOCATE, given=yaml_claim())
    (found,) = (await slicewire("capacity")).json["classes"]
    assert "gpu.nvidia.com" in found.values()
    assert (await slicewire("capacity", "-o", "table")).out.count("gpu.nvidia.com") == 1
    unknown = await slicewire("capacity", "--class", "nowhere")
    assert (unknown.status, unknown.err) == (1, "there is no class nowhere\n")
