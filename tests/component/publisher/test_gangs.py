"""Pods that start together: nothing of a gang is written before there are devices for all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from slicewire.common.messages import ANSWERS, CLAIMS, KUBE_SCHEDULER, SLICEWIRE
from slicewire.common.model import ClaimUID
from slicewire.publisher.service import Policy
from tests.component.publisher.world import GATE, Object, World, forget, publishing
from tests.kubeapi import kinds
from tests.kubeapi.examples import a_claim, a_pod
from tests.kubeapi.feed import Feed

pytestmark = pytest.mark.slow


def is_gated(world: World, name: str) -> bool:
    return bool(world.get(kinds.PODS, name)["spec"].get("schedulingGates"))


def add(world: World, gang: str, index: int, size: int = 2) -> Object:
    """A pod of a gang with a claim of its own; returns the claim."""
    name = f"{gang}-{index}"
    claim = world.create(kinds.CLAIMS, a_claim(name))
    pod = a_pod(name, [{"name": "gpu", "resourceClaimName": name}], schedulingGates=[GATE])
    pod["metadata"]["labels"] = {"slicewire.dev/gang": gang, "slicewire.dev/gang-size": str(size)}
    world.create(kinds.PODS, pod)
    return claim


def writes(world: World, *names: str) -> list[tuple[str, str]]:
    return [*world.writes_about("resourceclaims", *names), *world.writes_about("pods", *names)]


async def is_decided_by(world: World, claim: Object, whom: str) -> None:
    await world.hears(CLAIMS, claim["metadata"]["uid"], lambda fact: fact and fact.decided_by == whom)


@pytest.mark.usefixtures("publisher")
async def test_a_gang_goes_on_when_all_of_it_has_devices(world: World) -> None:
    first, second = add(world, "train", 0), add(world, "train", 1)
    await world.answer(first, "gpu-0")
    await world.settled()
    assert writes(world, "train-0", "train-1") == []
    await world.answer(second, "gpu-1", "node-2")
    for name in ("train-0", "train-1"):
        await world.until(lambda name=name: not is_gated(world, name))  # type: ignore[misc]
    lifted = [index for index, call in enumerate(world.writes()) if call.resource == "pods"]
    written = [index for index, call in enumerate(world.writes()) if call.subresource == "status"]
    assert min(index for index in lifted if world.writes()[index].name.startswith("train")) > max(
        index for index in written if world.writes()[index].name.startswith("train")
    )


@pytest.mark.usefixtures("publisher")
async def test_a_gang_that_is_not_all_there_is_not_slicewires_to_decide_yet(world: World) -> None:
    first = add(world, "train", 0)
    await is_decided_by(world, first, KUBE_SCHEDULER)
    await world.settled()
    add(world, "train", 1)
    await is_decided_by(world, first, SLICEWIRE)


@pytest.mark.usefixtures("publisher")
async def test_one_gang_at_a_time_collects_devices(world: World) -> None:
    ours = [add(world, "a", index) for index in (0, 1)]
    await is_decided_by(world, ours[1], SLICEWIRE)
    theirs = [add(world, "b", index) for index in (0, 1)]
    await is_decided_by(world, theirs[1], KUBE_SCHEDULER)
    for index, claim in enumerate(ours):
        await world.answer(claim, f"gpu-{index}")
    await is_decided_by(world, theirs[0], SLICEWIRE)
    await is_decided_by(world, theirs[1], SLICEWIRE)


async def test_a_gang_that_collects_in_vain_gives_back_and_makes_way(world: World, tmp_path: Path) -> None:
    async with publishing(world.bus, world.api, tmp_path, Policy(gang_seconds=0.5)):
        ours = [add(world, "a", index) for index in (0, 1)]
        await is_decided_by(world, ours[0], SLICEWIRE)
        theirs = [add(world, "b", index) for index in (0, 1)]
        for index, claim in enumerate(theirs):
            await world.answer(claim, f"gpu-{index}")
        await is_decided_by(world, ours[0], KUBE_SCHEDULER)
        await world.until(lambda: not is_gated(world, "b-0") and not is_gated(world, "b-1"))
        await is_decided_by(world, ours[0], SLICEWIRE)


@pytest.mark.usefixtures("publisher")
async def test_a_pod_that_is_deleted_meanwhile_releases_the_others(world: World) -> None:
    first, second = add(world, "train", 0), add(world, "train", 1)
    await world.answer(first)
    await is_decided_by(world, first, SLICEWIRE)
    world.delete(kinds.PODS, "train-1")
    await is_decided_by(world, first, KUBE_SCHEDULER)
    await world.settled()
    assert writes(world, "train-0") == []
    await is_decided_by(world, second, KUBE_SCHEDULER)


@pytest.mark.usefixtures("publisher")
async def test_an_answer_taken_back_before_the_rest_had_theirs_is_waited_for_again(world: World) -> None:
    first, second = add(world, "train", 0), add(world, "train", 1)
    await world.answer(first)
    await world.settled()
    await world.allocator.take_back(ClaimUID(first["metadata"]["uid"]))
    await forget(world.bus, ANSWERS, first["metadata"]["uid"])
    await world.answer(second, "gpu-1")
    await world.settled()
    assert writes(world, "train-0", "train-1") == []
    await world.answer(first)
    await world.until(lambda: not is_gated(world, "train-0") and not is_gated(world, "train-1"))


@pytest.mark.usefixtures("publisher")
async def test_pods_that_share_a_claim_have_all_their_claims_decided_together(world: World) -> None:
    uids = {}
    for name in ("shared", "left", "right"):
        uids[name] = world.create(kinds.CLAIMS, a_claim(name))["metadata"]["uid"]
    for name in ("left", "right"):
        claims = [{"name": each, "resourceClaimName": each} for each in ("shared", name)]
        world.add_gated_pod(f"pod-{name}", claims)
        own = {uids["shared"], uids[name]}
        await world.hears(CLAIMS, uids[name], lambda fact, own=own: fact and own <= set(fact.together))  # type: ignore[misc]
    for uid in uids.values():
        await world.hears(CLAIMS, uid, lambda fact: fact and set(fact.together) == set(uids.values()))
    world.delete(kinds.PODS, "pod-left")
    both = {uids["shared"], uids["right"]}
    await world.hears(CLAIMS, uids["right"], lambda fact: fact and set(fact.together) == both)


@pytest.mark.parametrize("changes", range(1, 7))
async def test_a_publisher_stopped_after_any_write_of_a_gang_lets_all_of_it_go_in_the_end_and_none_before(
    world: World, tmp_path: Path, changes: int
) -> None:
    """Two finalizers, two statuses, two gates: after each of these the next publisher goes on."""
    claims = [add(world, "train", index) for index in range(2)]
    for index, claim in enumerate(claims):
        await world.answer(claim, f"gpu-{index}")
    async with publishing(world.bus, world.api, tmp_path):
        with Feed(world.store.history) as feed:
            left = changes
            while left > 0:
                left -= len(await feed.take())
    pods = [is_gated(world, f"train-{index}") for index in range(2)]
    written = [bool(shown(world, index).get("allocation")) for index in range(2)]
    assert all(written) or all(pods), "a pod went on before everything of its gang was written"
    async with publishing(world.bus, world.api, tmp_path):
        for index in range(2):
            await world.until(lambda index=index: not is_gated(world, f"train-{index}"))  # type: ignore[misc]
    devices = [shown(world, index)["allocation"]["devices"]["results"][0]["device"] for index in range(2)]
    assert devices == ["gpu-0", "gpu-1"]


def shown(world: World, index: int) -> Object:
    return dict(world.get(kinds.CLAIMS, f"train-{index}").get("status", {}))
