"""Facts in: what Kubernetes has is what the stream tells, once, and no longer than it is true."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from slicewire.common.bus.nats import NatsBus
from slicewire.common.messages import CLAIMS, CLASSES, KUBE_SCHEDULER, NODES, SLICEWIRE, ClaimObserved
from slicewire.common.model import ClaimUID, ObjectMeta, ResourceClaim
from slicewire.publisher.service import Publisher
from tests.component.publisher.world import MANAGED, NODE, Object, World, publishing
from tests.kubeapi import kinds
from tests.kubeapi.examples import DRIVER, a_claim, a_request, an_allocation

pytestmark = pytest.mark.slow

CLASS = "gpu.example.com"
OPAQUE = {"driver": DRIVER, "parameters": {"sharing": None, "steps": [1, 2.5, {"deep": None}]}}


def a_class(expression: str = "true") -> Object:
    spec = {"selectors": [{"cel": {"expression": expression}}], "config": [{"opaque": OPAQUE}]}
    return {"metadata": {"name": CLASS}, "spec": spec}


def allocate(world: World, name: str, device: str = "gpu-0") -> None:
    """What kube-scheduler does for a claim of its own."""
    status = {"allocation": an_allocation(device)}
    world.change(kinds.CLAIMS, name, lambda claim: claim.update(status=status), "status")


@pytest.mark.usefixtures("publisher")
async def test_a_node_is_told_with_its_labels_and_who_allocates_there(world: World) -> None:
    uid = world.add_node("node-2", {**MANAGED, "zone": "b"})["metadata"]["uid"]
    fact = await world.hears(NODES, "node-2", bool)
    assert (fact.uid, fact.labels["zone"], fact.allocation) == (uid, "b", SLICEWIRE)
    assert (await world.hears(NODES, NODE, bool)).allocation == KUBE_SCHEDULER


@pytest.mark.usefixtures("publisher")
async def test_a_class_is_told_again_when_its_selector_changes(world: World) -> None:
    world.create(kinds.DEVICE_CLASSES, a_class())
    await world.hears(CLASSES, CLASS, bool)
    world.change(kinds.DEVICE_CLASSES, CLASS, lambda each: each.update(spec=a_class("false")["spec"]))
    fact = await world.hears(CLASSES, CLASS, lambda fact: _expression(fact) == "false")
    assert fact.device_class.spec.config[0].opaque.parameters == OPAQUE["parameters"]


def _expression(fact: Any) -> str:
    return str(fact.device_class.spec.selectors[0].cel.expression)


@pytest.mark.usefixtures("publisher")
async def test_a_claim_of_kube_scheduler_is_told_with_its_allocation_as_soon_as_it_has_one(
    world: World,
) -> None:
    uid = world.create(kinds.CLAIMS, a_claim())["metadata"]["uid"]
    first = await world.hears(CLAIMS, uid, bool)
    assert (first.decided_by, first.claim.status.allocation) == (KUBE_SCHEDULER, None)
    allocate(world, "claim-1")
    fact = await world.hears(CLAIMS, uid, lambda fact: fact.claim.status.allocation is not None)
    assert fact.decided_by == KUBE_SCHEDULER
    assert [result.device for result in fact.claim.status.allocation.devices.results] == ["gpu-0"]


async def test_what_is_told_is_told_once(world: World, publisher: Publisher) -> None:
    world.create(kinds.DEVICE_CLASSES, a_class())
    config = [{"opaque": OPAQUE}]
    uid = world.create(kinds.CLAIMS, a_claim(config=config))["metadata"]["uid"]
    await world.hears(CLAIMS, uid, bool)
    await world.settled()
    before = [(await world.latest(each))[key][0] for each, key in _facts(uid)]

    def annotate(found: Object) -> None:
        found["metadata"]["annotations"] = {"seen": "yes"}

    world.change(kinds.NODES, NODE, annotate)
    world.change(kinds.DEVICE_CLASSES, CLASS, annotate)
    world.change(kinds.CLAIMS, "claim-1", annotate)
    world.api.watches.expire()
    await world.settled()
    assert [(await world.latest(each))[key][0] for each, key in _facts(uid)] == before
    assert publisher.is_ready()


def _facts(uid: str) -> tuple[tuple[Any, str], ...]:
    return (NODES, NODE), (CLASSES, CLASS), (CLAIMS, uid)


@pytest.mark.usefixtures("publisher")
async def test_what_is_gone_is_forgotten(world: World) -> None:
    world.create(kinds.DEVICE_CLASSES, a_class())
    uid = world.create(kinds.CLAIMS, a_claim())["metadata"]["uid"]
    for channel, key in _facts(uid):
        await world.hears(channel, key, bool)
    for kind, name in _objects():
        world.delete(kind, name)
    for channel, key in _facts(uid):
        await world.hears(channel, key, lambda fact: fact is None)


def _objects() -> tuple[tuple[kinds.Kind, str], ...]:
    return (kinds.NODES, NODE), (kinds.DEVICE_CLASSES, CLASS), (kinds.CLAIMS, "claim-1")


async def test_what_vanished_while_nobody_looked_is_forgotten(world: World, tmp_path: Path) -> None:
    world.create(kinds.DEVICE_CLASSES, a_class())
    uid = world.create(kinds.CLAIMS, a_claim())["metadata"]["uid"]
    async with publishing(world.bus, world.api, tmp_path):
        for channel, key in _facts(uid):
            await world.hears(channel, key, bool)
    for kind, name in _objects():
        world.delete(kind, name)
    async with publishing(world.bus, world.api, tmp_path):
        for channel, key in _facts(uid):
            await world.hears(channel, key, lambda fact: fact is None)


async def test_a_restart_tells_nothing_again(world: World, tmp_path: Path) -> None:
    world.create(kinds.DEVICE_CLASSES, a_class())
    uid = world.create(kinds.CLAIMS, a_claim(config=[{"opaque": OPAQUE}]))["metadata"]["uid"]
    async with publishing(world.bus, world.api, tmp_path):
        for channel, key in _facts(uid):
            await world.hears(channel, key, bool)
    before = [await world.latest(channel) for channel, _ in _facts(uid)]
    async with publishing(world.bus, world.api, tmp_path):
        await world.settled()
    for (channel, key), then in zip(_facts(uid), before, strict=True):
        assert (await world.latest(channel))[key] == then[key]


@pytest.mark.usefixtures("publisher")
async def test_a_claim_that_came_over_the_bus_is_not_ours_to_forget(bus: NatsBus, world: World) -> None:
    metadata = ObjectMeta(name="mine", namespace="default", uid="uid-mine")
    await bus.tell(CLAIMS, ClaimObserved(claim=ResourceClaim(metadata=metadata)))
    await world.settled()
    world.api.watches.expire()
    await world.settled()
    assert ClaimUID("uid-mine") in await world.latest(CLAIMS)


@pytest.mark.usefixtures("publisher")
async def test_a_claim_made_anew_under_its_name_is_another_claim(world: World) -> None:
    first = world.create(kinds.CLAIMS, a_claim())["metadata"]["uid"]
    await world.hears(CLAIMS, first, bool)
    world.delete(kinds.CLAIMS, "claim-1")
    second = world.create(kinds.CLAIMS, a_claim(requests=[a_request("other")]))["metadata"]["uid"]
    await world.hears(CLAIMS, second, bool)
    await world.hears(CLAIMS, first, lambda fact: fact is None)
