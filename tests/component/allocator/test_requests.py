"""Claims over the bus: allocated, refused with the reason, released."""

from __future__ import annotations

import msgspec
import pytest

from slicewire.common.bus.port import Declined
from slicewire.common.messages import (
    ANSWERS,
    CAPACITY,
    CLAIMS,
    EXPLAIN,
    WHATIF,
    CapacityReply,
    CapacityRequest,
    ClaimRef,
    ExplainReply,
    ExplainRequest,
    WhatIfReply,
    WhatIfRequest,
)
from slicewire.common.model import ClaimUID
from tests.component.allocator.world import CLASS, World, allocating, claim, pool, until


async def test_a_claim_gets_its_devices_and_the_ledger_says_so(world: World) -> None:
    (answer,) = await world.allocate(claim("one", 2))
    assert answer.allocation is not None
    assert [result.device for result in answer.allocation.devices.results] == ["gpu-0", "gpu-1"]
    assert answer.node == "node-a"
    assert await world.held() == {"uid-one": ["node-a/gpu-0", "node-a/gpu-1"]}
    assert (await world.now(ANSWERS))[("uid-one",)] == answer


async def test_asking_again_gives_the_same_answer_and_no_more_devices(world: World) -> None:
    first = await world.allocate(claim("one"))
    assert await world.allocate(claim("one")) == first
    assert len(await world.held()) == 1


async def test_claims_of_one_request_get_all_or_none(world: World) -> None:
    answers = await world.allocate(claim("five", 5), claim("four", 4))
    assert all(answer.refusal is not None for answer in answers)
    assert await world.held() == {}


async def test_a_refused_claim_waits_and_gets_its_devices_when_they_are_given_back(world: World) -> None:
    await world.allocate(claim("all", 8))
    (refused,) = await world.allocate(claim("late"))
    assert refused.refusal is not None
    assert "8" in refused.refusal.message
    await world.release("uid-all")
    held = await until(world.held, lambda found: "uid-late" in found)
    assert held == {"uid-late": ["node-a/gpu-0"]}


async def test_a_waiting_claim_gets_its_devices_when_a_node_joins(world: World) -> None:
    await world.allocate(claim("twelve", 12))
    await world.begin(pool("node-b", 12))
    held = await until(world.held, lambda found: "uid-twelve" in found)
    assert held["uid-twelve"][0] == "node-b/gpu-0"


async def test_a_released_claim_leaves_nothing_behind(world: World) -> None:
    await world.allocate(claim("one"))
    await world.release("uid-one")
    assert await world.held() == {}
    assert await world.now(CLAIMS) == {}
    assert await world.now(ANSWERS) == {}


async def test_a_question_that_comes_late_does_not_bring_a_released_claim_back(world: World) -> None:
    """It may have waited in front of an allocator that was stopped, while another one went on."""
    await world.allocate(claim("one"))
    await world.release("uid-one")
    late = await world.declined(claim("two"), claim("one"))
    assert late == Declined(
        409, "claims[1].metadata.uid: claim default/one was released under uid-one; ask under a new uid"
    )
    assert await world.now(CLAIMS) == {}
    (again,) = await world.allocate(claim("one", uid="uid-one-again"))
    assert again.allocation is not None


async def test_releasing_an_unknown_claim_is_declined(world: World) -> None:
    assert await world.release("nope") == Declined(404, "there is no claim nope")


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (claim("c", of="no.such.class"), "no.such.class"),
        (claim("c", selector="device.driver =="), "column"),
        (claim("c", selector="device.attributes['gpu.nvidia.com'].nope == 1"), "no such key: nope"),
        (claim("c", 9), "9"),
        (claim("c", 33), "exceeds the claim limit of 32"),
    ],
)
async def test_a_claim_that_cannot_be_met_gets_the_reason_and_the_rest_goes_on(
    world: World, wrong: object, reason: str
) -> None:
    (answer,) = await world.allocate(wrong)  # type: ignore[arg-type]  # a claim, from the table
    assert answer.refusal is not None
    assert reason in answer.refusal.message
    (other,) = await world.allocate(claim("right"))
    assert other.allocation is not None


async def test_names_that_cannot_stand_in_a_subject_are_declined_with_the_field(world: World) -> None:
    declined = await world.declined(claim("c", uid="a.*.b"))
    assert declined.code == 400
    assert declined.reason.startswith("claims[0].metadata.uid: 'a.*.b'")


async def test_a_name_that_is_taken_is_declined_with_the_uid_that_has_it(world: World) -> None:
    await world.allocate(claim("one"))
    declined = await world.declined(claim("one", uid="other"))
    assert (declined.code, "uid-one" in declined.reason) == (409, True)
    declined = await world.declined(claim("one", 3))
    assert (declined.code, "another spec" in declined.reason) == (409, True)


async def test_explain_says_what_a_claim_would_get_and_changes_nothing(world: World) -> None:
    reply = await world.bus.ask(EXPLAIN, ExplainRequest(document=claim("maybe", 3)))
    assert isinstance(reply, ExplainReply)
    assert reply.answer.allocation is not None
    assert not reply.held
    assert await world.held() == {}
    await world.allocate(claim("one"))
    known = await world.bus.ask(EXPLAIN, ExplainRequest(claim=ClaimRef(uid=ClaimUID("uid-one"))))
    assert isinstance(known, ExplainReply)
    assert known.held


async def test_before_any_node_has_spoken_a_claim_is_told_so(bus: object, nats_url: str) -> None:
    world = World(bus)  # type: ignore[arg-type]  # the fixture's type
    async with allocating(nats_url):
        (answer,) = await world.allocate(claim("early"))
        assert answer.refusal is not None
        assert answer.refusal.message == "no node has told its devices yet"
        await world.begin()
        await until(world.held, lambda found: "uid-early" in found)


async def test_whatif_answers_for_a_world_without_some_claims_and_changes_nothing(world: World) -> None:
    await world.allocate(claim("six", 6))
    before = await world.held()
    question = WhatIfRequest(claims=(claim("a", 2), claim("b", 2)))
    refused = await world.bus.ask(WHATIF, question)
    assert isinstance(refused, WhatIfReply)
    assert all(answer.refusal for answer in refused.answers)
    releasing = (ClaimRef(uid=ClaimUID("uid-six")),)
    fits = await world.bus.ask(WHATIF, msgspec.structs.replace(question, releasing=releasing))
    assert isinstance(fits, WhatIfReply)
    given = [r.device for a in fits.answers if a.allocation for r in a.allocation.devices.results]
    assert given == ["gpu-0", "gpu-1", "gpu-2", "gpu-3"]
    assert await world.held() == before
    unknown = (ClaimRef(uid=ClaimUID("nope")),)
    declined = await world.bus.ask(WHATIF, msgspec.structs.replace(question, releasing=unknown))
    assert declined == Declined(404, "there is no claim nope")


async def test_capacity_counts_what_is_free_and_placeable(world: World) -> None:
    await world.allocate(claim("three", 3))
    reply = await world.bus.ask(CAPACITY, CapacityRequest())
    assert isinstance(reply, CapacityReply)
    (row,) = reply.classes
    assert (row.device_class, row.node, row.devices, row.free, row.placeable) == (CLASS, "node-a", 8, 5, 5)
    (status,) = reply.pools
    assert (status.total_devices, status.allocated_devices, status.available_devices) == (8, 3, 5)
    assert isinstance(await world.bus.ask(CAPACITY, CapacityRequest(device_class="nope")), Declined)


async def test_two_requests_of_one_name_are_declined(world: World) -> None:
    twin = claim("c")
    requests = twin.spec.devices.requests * 2
    devices = msgspec.structs.replace(twin.spec.devices, requests=requests)
    declined = await world.declined(
        msgspec.structs.replace(twin, spec=msgspec.structs.replace(twin.spec, devices=devices))
    )
    assert declined == Declined(400, "claims[0].spec.devices.requests: two are named 'gpu'")


async def test_explain_tells_the_cheapest_change_that_really_helps(world: World) -> None:
    await world.allocate(claim("six", 6))
    reply = await world.bus.ask(EXPLAIN, ExplainRequest(document=claim("late", 3)))
    assert isinstance(reply, ExplainReply)
    assert reply.change is not None
    assert reply.change.message == "ask for 2 devices instead of 3 in request gpu"
    assert "node-a" in reply.nearest
