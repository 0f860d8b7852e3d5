"""What became of a claim, where people look: in its status, and as Events on it and its pods."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from slicewire.common.messages import (
    ANSWERS,
    CLAIMS,
    PREPARED,
    ClaimAnswered,
    ClaimPrepared,
    ClaimRef,
    PreparedDevice,
)
from slicewire.common.model import ClaimUID, DeviceName, NodeName, PoolName, Unsatisfiable
from tests.component.publisher.world import NODE, Object, World, forget, gpus
from tests.kubeapi import kinds
from tests.kubeapi.examples import DRIVER, a_claim, an_allocation, reserved_for
from tests.kubeapi.faults import Match, Refuse

pytestmark = pytest.mark.usefixtures("publisher")
SHARED = [{"name": "gpu", "resourceClaimName": "claim-1"}]
GPU = PreparedDevice(
    request_names=("gpu",), pool=PoolName(NODE), device=DeviceName("gpu-0"), cdi_device_ids=("x",)
)


async def an_allocated_claim(world: World) -> Object:
    """Of kube-scheduler, for a pod that runs."""
    await world.tell_pool(gpus(1))
    await world.until(world.slices)
    pod = world.create(kinds.PODS, {"metadata": {"name": "user"}, "spec": {"containers": [{"name": "c"}]}})
    claim = world.create(kinds.CLAIMS, a_claim())
    status = {"allocation": an_allocation(), "reservedFor": [reserved_for(pod)]}
    world.change(kinds.CLAIMS, "claim-1", lambda found: found.update(status=status), "status")
    await world.hears(CLAIMS, claim["metadata"]["uid"], lambda fact: fact and fact.claim.status.allocation)
    return claim


async def tell(world: World, claim: Object, error: str = "") -> None:
    devices = () if error else (GPU,)
    ref = ClaimRef(uid=ClaimUID(claim["metadata"]["uid"]))
    await world.bus.tell(
        PREPARED, ClaimPrepared(node=NodeName(NODE), claim=ref, devices=devices, error=error)
    )


def conditions(world: World) -> list[tuple[str, str, str]]:
    devices = world.get(kinds.CLAIMS, "claim-1")["status"].get("devices", ())
    found = [(each["device"], condition) for each in devices for condition in each.get("conditions", ())]
    return [(device, each["status"], each["reason"]) for device, each in found]


def events(world: World, reason: str) -> Sequence[Object]:
    return [dict(each) for each in world.store.all(kinds.NEW_EVENTS) if each["reason"] == reason]


async def are_told(world: World, reason: str, number: int) -> Sequence[Object]:
    await world.until(lambda: len(events(world, reason)) == number)
    return events(world, reason)


async def test_a_prepared_device_is_ready_in_the_status_of_its_claim(world: World) -> None:
    claim = await an_allocated_claim(world)
    await tell(world, claim)
    await world.until(lambda: conditions(world) == [("gpu-0", "True", "Prepared")])
    assert world.get(kinds.CLAIMS, "claim-1")["status"]["allocation"] == an_allocation()
    await world.settled()
    assert world.writes_about("resourceclaims", "claim-1") == [("apply", "status")]


async def test_why_a_device_could_not_be_prepared_is_in_the_status_until_it_is(world: World) -> None:
    claim = await an_allocated_claim(world)
    await tell(world, claim, "the driver is gone")
    await world.until(lambda: conditions(world) == [("gpu-0", "False", "PrepareFailed")])
    await tell(world, claim)
    await world.until(lambda: conditions(world) == [("gpu-0", "True", "Prepared")])
    await forget(world.bus, PREPARED, NODE, claim["metadata"]["uid"])
    await world.until(lambda: conditions(world) == [])


async def test_the_entries_of_other_drivers_stay(world: World) -> None:
    claim = await an_allocated_claim(world)
    other = {"driver": DRIVER, "pool": NODE, "device": "gpu-0", "data": {"mine": True}, "conditions": []}
    world.change(kinds.CLAIMS, "claim-1", lambda found: found["status"].update(devices=[other]), "status")
    await tell(world, claim)
    await world.until(lambda: conditions(world) == [("gpu-0", "True", "Prepared")])
    (entry,) = world.get(kinds.CLAIMS, "claim-1")["status"]["devices"]
    assert entry["data"] == {"mine": True}


async def test_a_status_that_may_not_be_written_stops_nothing(world: World) -> None:
    """As without the permission that Kubernetes 1.36 asks for."""
    world.api.faults.inject(Refuse(422), Match(verbs=("apply",), resource="resourceclaims"), times=100)
    claim = await an_allocated_claim(world)
    await tell(world, claim)
    await are_told(world, "DevicesPrepared", 2)
    await world.settled()
    assert conditions(world) == []
    assert world.writes_about("resourceclaims", "claim-1") == [("apply", "status")]


async def test_prepared_and_failed_are_events_of_the_claim_and_of_its_pods(world: World) -> None:
    claim = await an_allocated_claim(world)
    await tell(world, claim, "the driver is gone")
    failed = await are_told(world, "DevicesNotPrepared", 2)
    assert {each["regarding"]["kind"] for each in failed} == {"ResourceClaim", "Pod"}
    assert {each["note"] for each in failed} == {"on node-1: the driver is gone"}
    assert {each["type"] for each in failed} == {"Warning"}
    await tell(world, claim)
    prepared = await are_told(world, "DevicesPrepared", 2)
    assert {each["note"] for each in prepared} == {"node-1/gpu-0 usable on node-1"}


async def test_a_refusal_is_an_event_with_its_reason_on_the_claim_and_the_pod_that_waits(
    world: World,
) -> None:
    claim = world.create(kinds.CLAIMS, a_claim())
    world.add_gated_pod(claims=SHARED)
    uid = ClaimUID(claim["metadata"]["uid"])
    await world.hears(CLAIMS, uid, lambda fact: fact and fact.together)
    refused = ClaimAnswered(claim=ClaimRef(uid=uid), refusal=Unsatisfiable(message="all 8 GPUs are in use"))
    for _ in range(3):
        await world.bus.tell(ANSWERS, refused)
    found = await are_told(world, "DevicesRefused", 2)
    assert {each["note"] for each in found} == {"all 8 GPUs are in use"}
    assert {each["regarding"]["name"] for each in found} == {"claim-1", "pod-1"}
    await world.settled()
    assert len(events(world, "DevicesRefused")) == 2


async def test_an_allocation_is_an_event_that_names_the_devices(world: World) -> None:
    claim = world.create(kinds.CLAIMS, a_claim())
    world.add_gated_pod(claims=SHARED)
    await world.answer(claim)
    found = await are_told(world, "DevicesAllocated", 2)
    assert "node-1/gpu-0" in found[0]["note"]


async def test_events_that_are_refused_block_nothing(world: World) -> None:
    world.api.faults.inject(Refuse(403), Match(resource="events"), times=1000)
    claim = world.create(kinds.CLAIMS, a_claim())
    world.add_gated_pod(claims=SHARED)
    await world.answer(claim)
    await world.until(lambda: not world.get(kinds.PODS, "pod-1")["spec"].get("schedulingGates"))
