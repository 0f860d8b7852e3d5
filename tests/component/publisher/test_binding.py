"""Answers out: a gated pod gets all its claims, written in the order that is safe, and goes last."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest

from slicewire.common.messages import ANSWERS, CLAIMS, KUBE_SCHEDULER, SLICEWIRE, ClaimAnswered, ClaimRef
from slicewire.common.model import AllocationResult, ClaimUID, wire
from tests.component.publisher.world import NODE, Object, World
from tests.kubeapi import kinds
from tests.kubeapi.controllers import running_controllers
from tests.kubeapi.controllers.claims import CLAIM_STEPS
from tests.kubeapi.controllers.garbage import GARBAGE_STEPS
from tests.kubeapi.controllers.scheduler import KUBELET_STEPS, SCHEDULER_STEPS
from tests.kubeapi.examples import a_claim, a_template, an_allocation
from tests.kubeapi.store import target_of

pytestmark = pytest.mark.usefixtures("cluster", "publisher")
PROTECTION = "resource.kubernetes.io/delete-protection"
TWO = [{"name": each, "resourceClaimTemplateName": "template-1"} for each in ("left", "right")]
SHARED = [{"name": "gpu", "resourceClaimName": "claim-1"}]


@pytest.fixture
async def cluster(world: World) -> AsyncIterator[None]:
    """The controllers a cluster has around claims; nobody but the publisher allocates."""
    world.create(kinds.CLAIM_TEMPLATES, a_template())
    async with running_controllers(world.store, (*CLAIM_STEPS, *GARBAGE_STEPS, *KUBELET_STEPS)):
        yield


def is_gated(world: World, pod: str = "pod-1") -> bool:
    return bool(world.get(kinds.PODS, pod)["spec"].get("schedulingGates"))


def is_ready(claim: Object, *pods: Object) -> bool:
    reserved = {each["uid"] for each in claim.get("status", {}).get("reservedFor", ())}
    return (
        PROTECTION in claim["metadata"].get("finalizers", ())
        and "allocation" in claim["status"]
        and reserved == {pod["metadata"]["uid"] for pod in pods}
    )


async def claims_of(world: World, pod: str = "pod-1", number: int = 2) -> list[Object]:
    """The claims that were made for a pod, once it names them all."""

    def made() -> list[str] | None:
        statuses = world.get(kinds.PODS, pod)["status"].get("resourceClaimStatuses", ())
        names = [each["resourceClaimName"] for each in statuses]
        return names if len(names) == number else None

    return [world.get(kinds.CLAIMS, name) for name in await world.until(made)]


def uids(claims: Iterable[Object]) -> list[str]:
    return [claim["metadata"]["uid"] for claim in claims]


async def test_the_claims_of_a_gated_pod_are_slicewires_to_decide_together(world: World) -> None:
    world.add_gated_pod(claims=TWO)
    claims = await claims_of(world)
    for uid in uids(claims):
        fact = await world.hears(CLAIMS, uid, lambda fact: fact and fact.together)
        assert (fact.decided_by, set(fact.together)) == (SLICEWIRE, set(uids(claims)))


async def test_answers_are_written_claim_by_claim_and_the_gate_goes_last(world: World) -> None:
    pod = world.add_gated_pod(claims=TWO)
    left, right = await claims_of(world)
    await world.answer(left, "gpu-0")
    await world.answer(right, "gpu-1")
    await world.until(lambda: not is_gated(world))
    for claim, device in ((left, "gpu-0"), (right, "gpu-1")):
        found = world.get(kinds.CLAIMS, claim["metadata"]["name"])
        assert is_ready(found, pod)
        assert found["status"]["allocation"] == an_allocation(device)
    asked = [(call.resource, call.verb, call.subresource) for call in world.writes()]
    assert asked[-1] == ("pods", "patch", "")
    for claim in (left, right):
        assert world.writes_about("resourceclaims", claim["metadata"]["name"]) == [
            ("patch", ""),
            ("patch", "status"),
        ]


async def test_kube_scheduler_places_the_pod_where_its_allocation_says(world: World) -> None:
    world.add_node("node-0")
    async with running_controllers(world.store, SCHEDULER_STEPS):
        world.add_gated_pod(claims=TWO)
        for claim in await claims_of(world):
            await world.answer(claim)
        await world.until(lambda: world.get(kinds.PODS, "pod-1")["spec"].get("nodeName"))
    assert world.get(kinds.PODS, "pod-1")["spec"]["nodeName"] == NODE


async def test_nothing_is_written_while_one_claim_has_no_devices(world: World) -> None:
    world.add_gated_pod(claims=TWO)
    left, _ = await claims_of(world)
    await world.answer(left)
    await world.settled()
    assert world.writes_about("resourceclaims") == []
    assert is_gated(world)


async def test_an_answer_that_was_taken_back_is_not_written(world: World) -> None:
    world.add_gated_pod(claims=TWO)
    left, right = await claims_of(world)
    await world.answer(left)
    await world.settled()
    await world.allocator.take_back(ClaimUID(left["metadata"]["uid"]))
    await world.answer(right)
    await world.settled()
    assert world.writes_about("resourceclaims") == []


async def test_two_pods_that_share_a_claim_are_both_reserved(world: World) -> None:
    claim = world.create(kinds.CLAIMS, a_claim())
    pods = [world.add_gated_pod(name, SHARED) for name in ("pod-1", "pod-2")]
    await world.answer(claim)
    for name in ("pod-1", "pod-2"):
        await world.until(lambda name=name: not is_gated(world, name))  # type: ignore[misc]
    assert is_ready(world.get(kinds.CLAIMS, "claim-1"), *pods)


async def test_a_pod_that_comes_later_is_reserved_on_the_allocation_there_is(world: World) -> None:
    claim = world.create(kinds.CLAIMS, a_claim())
    first = world.add_gated_pod("pod-1", SHARED)
    await world.answer(claim)
    await world.until(lambda: not is_gated(world, "pod-1"))
    second = world.add_gated_pod("pod-2", SHARED)
    await world.until(lambda: not is_gated(world, "pod-2"))
    assert is_ready(world.get(kinds.CLAIMS, "claim-1"), first, second)


async def test_an_allocation_of_another_is_left_as_it_is_and_the_pod_let_go(world: World) -> None:
    """Kube-scheduler reserves what it has allocated."""
    world.create(kinds.CLAIMS, a_claim())

    def allocate(claim: Object) -> None:
        claim["status"] = {"allocation": an_allocation("gpu-7")}

    world.change(kinds.CLAIMS, "claim-1", allocate, "status")
    before = world.get(kinds.CLAIMS, "claim-1")
    world.add_gated_pod(claims=SHARED)
    await world.until(lambda: not is_gated(world))
    assert world.get(kinds.CLAIMS, "claim-1") == before


async def test_an_answer_to_what_the_claim_was_before_is_not_written(world: World) -> None:
    claim = world.create(kinds.CLAIMS, a_claim())
    world.add_gated_pod(claims=SHARED)
    uid = ClaimUID(claim["metadata"]["uid"])
    await world.hears(CLAIMS, uid, lambda fact: fact and fact.together)
    stale = (await world.latest(CLAIMS))[uid][0] - 1
    allocation = wire.convert(an_allocation(), AllocationResult)
    await world.bus.tell(
        ANSWERS, ClaimAnswered(claim=ClaimRef(uid=uid), claim_sequence=stale, allocation=allocation)
    )
    await world.settled()
    assert world.writes_about("resourceclaims") == []
    await world.answer(claim)
    await world.until(lambda: not is_gated(world))


async def test_a_pod_that_names_a_claim_twice_costs_no_request_more(world: World) -> None:
    claim = world.create(kinds.CLAIMS, a_claim())
    twice = [{"name": each, "resourceClaimName": "claim-1"} for each in ("left", "right")]
    pod = world.add_gated_pod(claims=twice)
    fact = await world.hears(CLAIMS, claim["metadata"]["uid"], lambda fact: fact and fact.together)
    assert fact.together == (claim["metadata"]["uid"],)
    await world.answer(claim)
    await world.until(lambda: not is_gated(world))
    assert is_ready(world.get(kinds.CLAIMS, "claim-1"), pod)
    assert world.writes_about("resourceclaims") == [("patch", ""), ("patch", "status")]


async def test_once_the_pod_is_gone_on_its_claims_are_no_longer_told_together(world: World) -> None:
    world.add_gated_pod(claims=TWO)
    claims = await claims_of(world)
    for claim in claims:
        await world.answer(claim)
    await world.until(lambda: not is_gated(world))
    for uid in uids(claims):
        fact = await world.hears(
            CLAIMS, uid, lambda fact: fact and not fact.together and fact.claim.status.allocation
        )
        assert fact.decided_by == SLICEWIRE


async def test_when_the_pod_is_deleted_its_shared_claim_is_kube_schedulers_again(world: World) -> None:
    uid = world.create(kinds.CLAIMS, a_claim())["metadata"]["uid"]
    world.add_gated_pod(claims=SHARED)
    await world.hears(CLAIMS, uid, lambda fact: fact and fact.decided_by == SLICEWIRE)
    world.delete(kinds.PODS, "pod-1")
    fact = await world.hears(CLAIMS, uid, lambda fact: fact and fact.decided_by == KUBE_SCHEDULER)
    assert fact.together == ()


async def test_a_claim_on_its_way_out_is_not_written_to(world: World) -> None:
    def hold(claim: Object) -> None:
        claim["metadata"]["finalizers"] = ["example.com/mine"]

    claim = world.create(kinds.CLAIMS, a_claim())
    world.change(kinds.CLAIMS, "claim-1", hold)
    world.add_gated_pod(claims=SHARED)
    world.delete(kinds.CLAIMS, "claim-1")
    await world.answer(claim)
    await world.settled()
    assert world.writes_about("resourceclaims") == []
    assert is_gated(world)


async def test_other_gates_stay(world: World) -> None:
    claim = world.create(kinds.CLAIMS, a_claim())
    pod = world.add_gated_pod(claims=SHARED)
    other: list[Any] = [{"name": "example.com/quota"}]
    world.delete(kinds.PODS, "pod-1")
    await world.until(lambda: world.store.find(target_of(kinds.PODS, pod)) is None)
    gates = [{"name": "slicewire.dev/allocation"}, *other]
    spec = {**pod["spec"], "schedulingGates": gates}
    world.create(kinds.PODS, {"metadata": {"name": "pod-1"}, "spec": spec})
    await world.answer(claim)
    await world.until(lambda: world.get(kinds.PODS, "pod-1")["spec"]["schedulingGates"] == other)
