"""`slicewire claim -f`: a file in, devices or the reason out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from slicewire.common.bus.nats import NatsBus
from slicewire.common.messages import (
    CLASSES,
    PREPARE,
    ClaimPrepared,
    PreparedDevice,
    PrepareReply,
    PrepareRequest,
)
from slicewire.common.model import DeviceName, NodeName, PoolName
from tests.component.allocator.world import World
from tests.component.client.command import ALLOCATE, Slicewire, yaml_claim, yaml_pod

pytestmark = pytest.mark.slow


def devices(answer: Any) -> list[str]:
    return [result["device"] for result in answer["allocation"]["devices"]["results"]]


async def test_a_claim_of_a_file_is_answered_as_json_on_a_pipe(
    world: World, slicewire: Slicewire, tmp_path: Path
) -> None:
    path = tmp_path / "claim.yaml"
    path.write_text(yaml_claim(count=2) + "kind: Service\nmetadata: {name: web}\n")
    ended = await slicewire("claim", "--no-prepare", "-f", str(path))
    assert ended.status == 0
    (answer,) = ended.json["answers"]
    assert (answer["claim"]["name"], answer["node"], devices(answer)) == (
        "train",
        "node-a",
        ["gpu-0", "gpu-1"],
    )
    assert ended.json["prepared"] == []
    assert ended.err == "Service/web says nothing about claims and is set aside\n"
    assert await world.held() == {answer["claim"]["uid"]: ["node-a/gpu-0", "node-a/gpu-1"]}


async def test_the_same_file_again_gets_the_same_answer(world: World, slicewire: Slicewire) -> None:
    first, again = [await slicewire(*ALLOCATE, given=yaml_claim()) for _ in range(2)]
    assert first.json == again.json
    assert len(await world.held()) == 1


async def test_a_claim_that_two_pods_share_is_printed_once(world: World, slicewire: Slicewire) -> None:
    given = yaml_claim("shared") + yaml_claim("alone") + yaml_pod("a", "shared") + yaml_pod("b", "shared")
    ended = await slicewire(*ALLOCATE, given=given)
    assert [answer["claim"]["name"] for answer in ended.json["answers"]] == ["shared", "alone"]
    table = await slicewire(*ALLOCATE, "-o", "table", given=given)
    assert table.out == "default/shared: gpu-0 on node-a\ndefault/alone: gpu-1 on node-a\n"


async def test_a_claim_that_is_refused_exits_1_with_the_reason(world: World, slicewire: Slicewire) -> None:
    ended = await slicewire(*ALLOCATE, "-o", "table", given=yaml_claim(count=3))
    assert ended.status == 1
    assert ended.out.startswith("default/train waits: ")
    assert "node-a" in ended.out
    as_json = await slicewire(*ALLOCATE, given=yaml_claim(count=3))
    assert as_json.status == 1
    assert as_json.json["answers"][0]["refusal"]["message"]
    assert await world.held() == {}


async def test_a_class_in_the_file_is_known_before_its_claims_are_asked_for(
    world: World, slicewire: Slicewire
) -> None:
    own = "apiVersion: resource.k8s.io/v1\nkind: DeviceClass\nmetadata: {name: mine}\nspec: {}\n---\n"
    ended = await slicewire(*ALLOCATE, given=yaml_claim().replace("gpu.nvidia.com", "mine") + own)
    assert ended.status == 0
    assert ended.err == "class mine is known\n"
    assert ("mine",) in await world.now(CLASSES)


async def test_a_class_whose_name_cannot_be_told_is_refused_in_one_line(
    world: World, slicewire: Slicewire
) -> None:
    bad = "apiVersion: resource.k8s.io/v1\nkind: DeviceClass\nmetadata: {name: my_class}\nspec: {}\n"
    ended = await slicewire("claim", "-f", "-", given=bad)
    assert (ended.status, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert "'my_class'" in ended.err


async def test_a_prepared_claim_shows_what_to_give_to_the_container(
    world: World, bus: NatsBus, slicewire: Slicewire
) -> None:
    async def prepare(asked: PrepareRequest) -> PrepareReply:
        device = PreparedDevice(
            request_names=("gpu",),
            pool=PoolName("node-a"),
            device=DeviceName("gpu-0"),
            cdi_device_ids=("k8s.gpu.nvidia.com/claim=u-gpu-0",),
        )
        done = ClaimPrepared(node=NodeName("node-a"), claim=asked.claim, devices=(device,))
        return PrepareReply(prepared=done)

    async with bus.serve({PREPARE: prepare}, "node-a", name="node-prep"):
        ended = await slicewire("claim", "-f", "-", "-o", "table", given=yaml_claim())
        assert (ended.status, ended.err) == (0, "")
        assert ended.out == "default/train: gpu-0 on node-a\n  --device k8s.gpu.nvidia.com/claim=u-gpu-0\n"
        as_json = await slicewire("claim", "-f", "-", given=yaml_claim())
        assert [len(done["devices"]) for done in as_json.json["prepared"]] == [1]


async def test_devices_that_nobody_prepares_are_shown_all_the_same(
    world: World, slicewire: Slicewire
) -> None:
    ended = await slicewire("claim", "-f", "-", "-o", "table", given=yaml_claim())
    assert ended.status == 1
    assert ended.out == (
        "default/train: gpu-0 on node-a\n  not prepared: no node-prep answers prepare requests\n"
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (yaml_claim().replace("count", "cuont"), "standard input, document 1 (ResourceClaim): "),
        (yaml_claim().replace("count", "cuont"), "unknown field `cuont`"),
        (yaml_claim().replace("name: train", ""), "metadata.name is missing"),
        ("{", "standard input is not YAML"),
    ],
)
async def test_a_bad_file_is_status_2_and_names_the_field(
    given: str, said: str, slicewire: Slicewire
) -> None:
    for command in ("claim", "explain"):
        ended = await slicewire(command, "-f", "-", given=given)
        assert (ended.status, ended.out) == (2, "")
        assert said in ended.err


async def test_a_file_that_is_not_there_or_not_text_is_status_2(slicewire: Slicewire, tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "nowhere.yaml", tmp_path, tmp_path / "bytes"):
        ended = await slicewire("claim", "-f", str(path))
        assert (ended.status, ended.out) == (2, "")
        assert str(path) in ended.err
