"""Claims as the publisher shows them: decided, adopted, given back."""

from __future__ import annotations

import msgspec

from slicewire.common.messages import ANSWERS, CLAIMS, KUBE_SCHEDULER, NODES, ClaimObserved, NodeObserved
from slicewire.common.model import POD_CLAIM_NAME, ClaimUID, NodeName
from tests.component.allocator.world import World, allocation, claim, of_kubernetes, pool, until


async def test_a_claim_of_a_gated_pod_is_decided(world: World) -> None:
    await world.show(of_kubernetes(claim("k", 2)))
    held = await until(world.held, lambda found: "uid-k" in found)
    assert held["uid-k"] == ["node-a/gpu-0", "node-a/gpu-1"]


async def test_claims_of_one_pod_wait_for_each_other_and_get_all_or_none(world: World) -> None:
    together = ("uid-a", "uid-b")
    await world.show(of_kubernetes(claim("a", 5)), together=together)
    await world.show(of_kubernetes(claim("b", 4)), together=together)
    answers = await until(lambda: world.now(ANSWERS), lambda found: len(found) == 2)
    assert all(answer.refusal is not None for answer in answers.values())
    await world.begin(pool("node-b", 9))
    held = await until(world.held, lambda found: len(found) == 2)
    assert {device.partition("/")[0] for devices in held.values() for device in devices} == {"node-b"}


async def test_a_claim_left_to_kube_scheduler_is_not_decided(world: World) -> None:
    await world.show(of_kubernetes(claim("theirs")), decided_by=KUBE_SCHEDULER)
    await world.show(of_kubernetes(claim("ours")))
    held = await until(world.held, bool)
    assert list(held) == ["uid-ours"]


async def test_an_allocation_by_another_is_adopted_and_its_device_not_given_again(world: World) -> None:
    await world.show(of_kubernetes(claim("theirs"), allocation("gpu-0")), decided_by=KUBE_SCHEDULER)
    entries = await until(world.entries, bool)
    assert (entries["uid-theirs"].origin, entries["uid-theirs"].confirmed) == (KUBE_SCHEDULER, True)
    (answer,) = await world.allocate(claim("ours"))
    assert answer.allocation is not None
    assert answer.allocation.devices.results[0].device == "gpu-1"


async def test_the_ledger_says_what_the_pod_calls_a_claim_from_a_template(world: World) -> None:
    made = of_kubernetes(claim("pod-gpu-x7k2f"))
    named = msgspec.structs.replace(made.metadata, annotations={POD_CLAIM_NAME: "gpu"})
    await world.show(msgspec.structs.replace(made, metadata=named))
    await world.show(of_kubernetes(claim("named")))
    entries = await until(world.entries, lambda found: len(found) == 2)
    names = {uid: entry.pod_claim_name for uid, entry in entries.items()}
    assert names == {"uid-pod-gpu-x7k2f": "gpu", "uid-named": ""}


async def test_an_adopted_allocation_that_is_taken_back_frees_the_device(world: World) -> None:
    await world.show(of_kubernetes(claim("theirs"), allocation("gpu-0")), decided_by=KUBE_SCHEDULER)
    await until(world.held, bool)
    await world.show(of_kubernetes(claim("theirs")), decided_by=KUBE_SCHEDULER)
    await until(world.held, lambda found: not found)


async def test_our_allocation_is_confirmed_when_kubernetes_shows_it_and_released_when_it_no_longer_does(
    world: World,
) -> None:
    await world.show(of_kubernetes(claim("k")))
    await until(world.held, bool)
    await world.show(of_kubernetes(claim("k"), allocation("gpu-0")))
    entries = await until(world.entries, lambda found: found["uid-k"].confirmed)
    assert entries["uid-k"].origin == "slicewire"
    await world.show(of_kubernetes(claim("k")), decided_by=KUBE_SCHEDULER)
    await until(world.held, lambda found: not found)
    assert await world.now(ANSWERS) == {}


async def test_a_pod_that_is_gone_before_its_claim_was_written_gives_the_device_back(world: World) -> None:
    await world.show(of_kubernetes(claim("k")))
    await until(world.held, bool)
    await world.show(of_kubernetes(claim("k")), decided_by=KUBE_SCHEDULER)
    await until(world.held, lambda found: not found)


async def test_a_claim_that_is_gone_gives_everything_back(world: World) -> None:
    await world.show(of_kubernetes(claim("k", 3)))
    await until(world.held, bool)
    await world.lose("uid-k")
    await until(world.held, lambda found: not found)
    assert await world.now(ANSWERS) == {}


async def test_two_claims_on_one_device_are_told_as_a_conflict(world: World) -> None:
    await world.show(of_kubernetes(claim("a"), allocation("gpu-3")), decided_by=KUBE_SCHEDULER)
    await until(world.held, bool)
    await world.show(of_kubernetes(claim("b"), allocation("gpu-3")), decided_by=KUBE_SCHEDULER)
    ledger = await until(world.ledger, lambda found: found is not None and bool(found.conflicts))
    assert ledger is not None
    (conflict,) = ledger.conflicts
    assert (conflict.device.device, [ref.uid for ref in conflict.claims]) == ("gpu-3", ["uid-a", "uid-b"])
    await world.lose("uid-a")
    await until(world.ledger, lambda found: found is not None and not found.conflicts)


async def test_a_node_that_kube_scheduler_allocates_is_left_alone(world: World) -> None:
    await world.bus.tell(NODES, NodeObserved(name=NodeName("node-a"), uid="u"))
    await until(lambda: world.now(NODES), bool)
    (answer,) = await world.allocate(claim("one"))
    assert answer.refusal is not None
    assert "slicewire.dev/allocation=slicewire" in answer.refusal.message
    await world.bus.tell(NODES, NodeObserved(name=NodeName("node-a"), uid="u", allocation="slicewire"))
    await until(world.held, bool)


async def test_a_claim_shown_twice_changes_nothing(world: World) -> None:
    await world.show(of_kubernetes(claim("k")))
    before = await until(world.entries, bool)
    shown = of_kubernetes(claim("k"))
    await world.show(msgspec.structs.replace(shown))
    await world.show(of_kubernetes(claim("other")))
    after = await until(world.entries, lambda found: "uid-other" in found)
    assert after["uid-k"] == before["uid-k"]


async def test_claims_of_kube_scheduler_are_explained_too(world: World) -> None:
    await world.bus.tell(NODES, NodeObserved(name=NodeName("node-a"), uid="u"))
    await world.show(of_kubernetes(claim("theirs"), allocation("gpu-3")), decided_by=KUBE_SCHEDULER)
    await world.show(of_kubernetes(claim("late", 8)), decided_by=KUBE_SCHEDULER)
    await until(world.held, bool)
    await until(lambda: world.now(CLAIMS), lambda found: len(found) == 2)
    held = await world.explain("uid-theirs")
    assert held.held
    assert held.answer.allocation is not None
    assert held.answer.allocation.devices.results[0].device == "gpu-3"
    waiting = await world.explain("uid-late")
    assert waiting.answer.refusal is not None
    assert "7" in waiting.answer.refusal.message
    assert waiting.change is not None
    assert waiting.change.node == "node-a"


async def test_an_answer_stands_for_the_claim_as_it_was_told_last(world: World) -> None:
    first = await world.bus.tell(CLAIMS, ClaimObserved(claim=of_kubernetes(claim("k"))))
    answers = await until(lambda: world.now(ANSWERS), bool)
    assert answers[("uid-k",)].claim_sequence == first
    retold = ClaimObserved(claim=of_kubernetes(claim("k")), together=(ClaimUID("uid-k"),))
    second = await world.bus.tell(CLAIMS, retold)
    again = await until(lambda: world.now(ANSWERS), lambda a: a[("uid-k",)].claim_sequence == second)
    assert again[("uid-k",)].allocation == answers[("uid-k",)].allocation
