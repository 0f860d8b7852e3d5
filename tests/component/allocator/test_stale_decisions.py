"""What an allocator that woke up late has written about a claim that had moved on is put right by any."""

from __future__ import annotations

import asyncio

from slicewire.allocator import ledger as ledgers
from slicewire.common.bus.nats import NatsBus
from slicewire.common.bus.port import Write
from slicewire.common.messages import (
    ANSWERS,
    KUBE_SCHEDULER,
    LEDGERS,
    SLICEWIRE,
    ClaimAnswered,
    ClaimRef,
    LedgerEntry,
    LedgerWritten,
)
from slicewire.common.model import ClaimName, ClaimUID, Namespace, NodeName
from tests.component.allocator.world import DRIVER, World, allocating, allocation, claim, of_kubernetes, until

EMPTY = LedgerWritten(node=NodeName("node-a"), driver=DRIVER)


async def written_late(world: World, ledger: LedgerWritten, *answers: ClaimAnswered) -> None:
    """The ledger of the pool was as the late one knew it, so the stream has taken this."""
    told = [Write(ANSWERS, (answer.claim.uid,), answer) for answer in answers]
    await world.bus.commit([Write(LEDGERS, ("node-a", DRIVER), ledger), *told])


def entered(uid: str, origin: str) -> LedgerWritten:
    results = allocation("gpu-0").devices.results
    confirmed = origin != SLICEWIRE
    entry = LedgerEntry(claim=ref(uid), results=results, origin=origin, confirmed=confirmed)
    return ledgers.with_entry(EMPTY, entry)


def ref(uid: str) -> ClaimRef:
    name = ClaimName(uid.removeprefix("uid-"))
    return ClaimRef(uid=ClaimUID(uid), namespace=Namespace("default"), name=name)


async def test_devices_given_to_a_claim_that_had_ended_are_given_back(world: World) -> None:
    await world.show(of_kubernetes(claim("k")), decided_by=KUBE_SCHEDULER)
    await world.lose("uid-k")
    answer = ClaimAnswered(claim=ref("uid-k"), allocation=allocation("gpu-0"), node=NodeName("node-a"))
    await written_late(world, entered("uid-k", SLICEWIRE), answer)
    await until(world.held, lambda found: not found)
    await until(lambda: world.now(ANSWERS), lambda found: not found)


async def test_an_allocation_adopted_after_it_was_taken_back_is_given_up(world: World) -> None:
    await world.show(of_kubernetes(claim("k")), decided_by=KUBE_SCHEDULER)
    await written_late(world, entered("uid-k", KUBE_SCHEDULER))
    await until(world.held, lambda found: not found)


async def test_an_allocation_given_up_after_it_was_shown_again_is_adopted_again(world: World) -> None:
    await world.show(of_kubernetes(claim("k"), allocation("gpu-0")), decided_by=KUBE_SCHEDULER)
    await until(world.held, bool)
    await written_late(world, EMPTY)
    held = await until(world.held, bool)
    assert held == {"uid-k": ["node-a/gpu-0"]}


async def test_what_is_wrong_already_when_an_allocator_starts_is_put_right(
    bus: NatsBus, nats_url: str
) -> None:
    world = World(bus)
    await world.begin()
    await world.show(of_kubernetes(claim("k"), allocation("gpu-0")), decided_by=KUBE_SCHEDULER)
    async with allocating(nats_url):
        await until(world.held, bool)
        await world.lose("uid-k")
        await until(world.held, lambda found: not found)
    await written_late(world, entered("uid-k", KUBE_SCHEDULER))
    async with allocating(nats_url):
        await until(world.held, lambda found: not found)


async def test_a_claim_whose_answer_is_still_on_its_way_is_answered_when_it_has_come(world: World) -> None:
    """Another allocator has decided it; of what was committed together this one has heard a part."""
    (answer,) = await world.allocate(claim("one"))
    uid = answer.claim.uid
    await world.bus.commit([Write(ANSWERS, (uid,), None)])
    await world.allocate(claim("first"))  # by then the allocator has heard it
    asked = asyncio.create_task(world.allocate(claim("one")))
    (other,) = await world.allocate(claim("other"))
    assert other.allocation is not None, "others do not wait for it"
    assert not asked.done()
    await world.bus.tell(ANSWERS, answer)
    assert await asked == (answer,)
    assert (await world.held())["uid-one"] == ["node-a/gpu-0"]
