"""Whatever fails, and wherever the publisher is stopped: the end is the same, and nothing is left over."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from slicewire.client.local.broker import Broker
from slicewire.common.bus.nats import NatsBus
from slicewire.common.messages import CLAIMS, NODES
from slicewire.publisher.service import Publisher
from tests.component.publisher.world import NODE, Object, World, gpus, publishing
from tests.kubeapi import kinds
from tests.kubeapi.controllers import running_controllers
from tests.kubeapi.controllers.claims import CLAIM_STEPS
from tests.kubeapi.examples import a_claim, a_template
from tests.kubeapi.faults import CutWatch, Drop, Expire, Fault, LoseAnswer, Match, Refuse, Slow
from tests.kubeapi.feed import Feed
from tests.kubeapi.server import serving
from tests.kubeapi.store import Store

pytestmark = pytest.mark.slow

THREE_SLICES = gpus(300)
TWO = [{"name": each, "resourceClaimTemplateName": "template-1"} for each in ("left", "right")]
FAULTS = [Refuse(409), Refuse(429), Refuse(500), Refuse(503), Drop(), LoseAnswer()]


async def is_whole(world: World, devices: int = 300) -> None:
    """The pool is published in one generation, without doubles."""

    def whole() -> bool:
        specs = [found["spec"] for found in world.slices()]
        one = len({(spec["pool"]["generation"], spec["pool"]["resourceSliceCount"]) for spec in specs}) == 1
        names = [name for names in world.device_names() for name in names]
        counted = one and specs[0]["pool"]["resourceSliceCount"] == len(specs)
        return counted and len(names) == devices == len(set(names))

    await world.until(whole)


async def bound(world: World) -> None:
    """The pod has both claims, written once each, and waits no longer."""
    await world.until(lambda: not world.get(kinds.PODS, "pod-1")["spec"].get("schedulingGates"))
    uid = world.get(kinds.PODS, "pod-1")["metadata"]["uid"]
    for claim in world.store.all(kinds.CLAIMS):
        assert [each["uid"] for each in claim["status"]["reservedFor"]] == [uid]
        assert claim["metadata"]["finalizers"] == ["resource.kubernetes.io/delete-protection"]
        assert "allocation" in claim["status"]


async def answer_a_gated_pod(world: World) -> None:
    """A pod with two claims from a template, answered before anybody looks."""
    world.create(kinds.CLAIM_TEMPLATES, a_template())
    async with running_controllers(world.store, CLAIM_STEPS):
        world.add_gated_pod(claims=TWO)
        await world.until(
            lambda: len(world.get(kinds.PODS, "pod-1")["status"].get("resourceClaimStatuses", [])) == 2
        )
    for index, claim in enumerate(world.store.all(kinds.CLAIMS)):
        await world.answer(dict(claim), f"gpu-{index}")


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_a_write_of_a_slice_that_fails_is_made_good(world: World, tmp_path: Path, fault: Fault) -> None:
    world.api.faults.inject(fault, Match(verbs=("create",), resource="resourceslices"), times=2)
    await world.tell_pool(THREE_SLICES)
    async with publishing(world.bus, world.api, tmp_path):
        await is_whole(world)
        world.api.faults.inject(fault, Match(verbs=("update",), resource="resourceslices"))
        await world.tell_pool(gpus(300, model="y"))
        await world.until(lambda: all(_models(found) == {"y"} for found in world.slices()))
        await is_whole(world)


def _models(found: Object) -> set[str]:
    return {device["attributes"]["model"]["string"] for device in found["spec"]["devices"]}


@pytest.mark.parametrize("fault", FAULTS, ids=str)
@pytest.mark.parametrize("subresource", ["", "status"])
async def test_a_write_to_a_claim_that_fails_is_made_good(
    world: World, tmp_path: Path, fault: Fault, subresource: str
) -> None:
    await answer_a_gated_pod(world)
    where = Match(verbs=("patch",), resource="resourceclaims", subresource=subresource)
    world.api.faults.inject(fault, where, times=2)
    async with publishing(world.bus, world.api, tmp_path):
        await bound(world)


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_a_gate_that_could_not_be_lifted_is_lifted_later(
    world: World, tmp_path: Path, fault: Fault
) -> None:
    await answer_a_gated_pod(world)
    world.api.faults.inject(fault, Match(verbs=("patch",), resource="pods"))
    async with publishing(world.bus, world.api, tmp_path):
        await bound(world)


async def test_a_server_that_wants_to_be_asked_later_is_asked_later(world: World, tmp_path: Path) -> None:
    """And is not asked by another worker meanwhile."""
    clock = asyncio.get_running_loop().time
    creates = Match(verbs=("create",), resource="resourceslices")
    world.api.faults.inject(Refuse(429, retry_after_seconds=1), creates)
    await world.tell_pool(gpus(1))
    async with publishing(world.bus, world.api, tmp_path):
        begun = clock()
        await is_whole(world, devices=1)
        assert clock() - begun >= 1
        assert world.writes_about("resourceslices") == [("create", ""), ("create", "")]


@pytest.mark.parametrize("fault", [Refuse(500), Expire(), Drop()], ids=str)
async def test_a_list_that_fails_only_delays(world: World, tmp_path: Path, fault: Fault) -> None:
    world.api.faults.inject(fault, Match(verbs=("list",)), times=5)
    await world.tell_pool(gpus(1))
    async with publishing(world.bus, world.api, tmp_path):
        await is_whole(world, devices=1)


@pytest.mark.parametrize("fault", [Refuse(500), Expire(), Drop(), CutWatch(0), CutWatch(1)], ids=str)
async def test_watches_that_fail_lose_nothing(world: World, tmp_path: Path, fault: Fault) -> None:
    world.api.faults.inject(fault, Match(verbs=("watch",)), times=5)
    async with publishing(world.bus, world.api, tmp_path):
        await world.tell_pool(gpus(1), node="node-2")
        world.add_node("node-2")
        await world.until(lambda: world.slices("node-2"))
        await world.settled()


@pytest.mark.usefixtures("publisher")
async def test_what_happens_while_a_watch_is_cut_or_too_old_is_seen_after_it(world: World) -> None:
    uid = world.create(kinds.CLAIMS, a_claim())["metadata"]["uid"]
    await world.hears(CLAIMS, uid, bool)
    for interrupt in (world.api.watches.cut, world.api.watches.expire):
        interrupt()
        world.add_node("node-2")
        await world.hears(NODES, "node-2", bool)
        interrupt()
        world.delete(kinds.NODES, "node-2")
        await world.hears(NODES, "node-2", lambda fact: fact is None)


async def test_kubernetes_away_and_back_finds_what_was_told_meanwhile(bus: NatsBus, tmp_path: Path) -> None:
    store = Store()
    async with serving(store=store) as api:
        port = int(api.url.rpartition(":")[2])
        world = World(bus, api)
        world.add_node()
        publisher = publishing(bus, api, tmp_path)
        running = await publisher.__aenter__()
        await world.tell_pool(gpus(1))
        await is_whole(world, devices=1)
    try:
        await world.tell_pool(gpus(2))
        world.delete(kinds.SLICES, world.slices()[0]["metadata"]["name"])
        world.add_node("node-2")
        async with serving(port, store=store):
            await is_whole(world, devices=2)
            await world.hears(NODES, "node-2", bool)
            assert running.is_ready()
    finally:
        await publisher.__aexit__(None, None, None)


async def test_the_bus_away_and_back_hears_what_happened_meanwhile(
    world: World, publisher: Publisher, broker: Broker
) -> None:
    await world.settled()
    await broker.kill()
    world.add_node("node-2")
    world.delete(kinds.NODES, NODE)
    await broker.start()
    await world.hears(NODES, "node-2", bool)
    await world.hears(NODES, NODE, lambda fact: fact is None)
    assert publisher.is_ready()


@pytest.mark.parametrize("changes", range(1, 4))
async def test_a_publisher_stopped_between_two_slices_ends_the_same_after_its_restart(
    world: World, tmp_path: Path, changes: int
) -> None:
    await world.tell_pool(gpus(100))
    async with publishing(world.bus, world.api, tmp_path):
        await is_whole(world, devices=100)
    await world.tell_pool(THREE_SLICES)
    async with publishing(world.bus, world.api, tmp_path):
        await _changed(world, changes)
    async with publishing(world.bus, world.api, tmp_path):
        await is_whole(world)


@pytest.mark.parametrize("changes", range(1, 6))
async def test_a_publisher_stopped_while_it_binds_ends_the_same_after_its_restart(
    world: World, tmp_path: Path, changes: int
) -> None:
    await answer_a_gated_pod(world)
    async with publishing(world.bus, world.api, tmp_path):
        await _changed(world, changes)
    async with publishing(world.bus, world.api, tmp_path):
        await bound(world)
    applied = [call for call in world.writes() if call.resource == "resourceclaims"]
    assert len(applied) <= 4 + 1, "one request may have been under way when it was stopped"


async def _changed(world: World, changes: int) -> None:
    """Returns as soon as the store has changed so many times."""
    with Feed(world.store.history) as feed:
        while changes > 0:
            changes -= len(await feed.take())


async def test_two_publishers_at_once_end_the_same(world: World, tmp_path: Path) -> None:
    """As when one has lost its lease and does not know it yet."""
    await world.tell_pool(THREE_SLICES)
    await answer_a_gated_pod(world)
    async with publishing(world.bus, world.api, tmp_path), publishing(world.bus, world.api, tmp_path):
        await bound(world)
        await is_whole(world)
        await world.tell_pool(gpus(10))
        await is_whole(world, devices=10)


async def test_a_slice_deleted_while_its_pool_is_being_published_comes_back(
    world: World, tmp_path: Path
) -> None:
    creates = Match(verbs=("create",), resource="resourceslices")
    world.api.faults.inject(Slow(0), creates)
    world.api.faults.inject(Slow(0.2), creates, times=2)
    await world.tell_pool(THREE_SLICES)
    async with publishing(world.bus, world.api, tmp_path):
        (first,) = await world.until(world.slices)
        world.delete(kinds.SLICES, first["metadata"]["name"])
        await is_whole(world)
