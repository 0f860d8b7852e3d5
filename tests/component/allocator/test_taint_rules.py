"""Taint rules as they are told: claims keep off the devices, are told why, and come back when a rule goes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from slicewire.common.bus.nats import NatsBus
from slicewire.common.bus.port import Write
from slicewire.common.messages import (
    CAPACITY,
    EXPLAIN,
    TAINT_RULES,
    CapacityReply,
    CapacityRequest,
    ClaimRef,
    ExplainReply,
    ExplainRequest,
    TaintRuleObserved,
)
from slicewire.common.model import ChangeKind, ClaimUID, DeviceTaint
from tests.builders import a_taint_rule
from tests.component.allocator.world import DRIVER, World, claim, remembered, until
from tests.past import History

pytestmark = pytest.mark.slow

MAINTENANCE = DeviceTaint(key="example.com/maintenance", value="fan", effect="NoSchedule")


@pytest.fixture
async def world(bus: NatsBus, nats_url: str, history: History) -> AsyncIterator[World]:
    async with remembered(bus, nats_url, history) as world:
        yield world


def rule(device: str | None = None) -> TaintRuleObserved:
    return TaintRuleObserved(rule=a_taint_rule("fans.rack-7", MAINTENANCE, driver=DRIVER, device=device))


async def rule_is_heard(world: World, device: str | None = None, free: int = 0) -> None:
    await world.bus.tell(TAINT_RULES, rule(device))

    async def count() -> int:
        reply = await world.bus.ask(CAPACITY, CapacityRequest())
        assert isinstance(reply, CapacityReply), reply
        return reply.classes[0].free

    await until(count, lambda found: found == free)


GONE = Write(TAINT_RULES, ("fans.rack-7",), None)


async def test_a_claim_gets_devices_that_no_rule_taints(world: World) -> None:
    await rule_is_heard(world, "gpu-0", free=7)
    (answer,) = await world.allocate(claim("seven", 7))
    assert answer.allocation is not None
    assert answer.allocation.devices.results[0].device == "gpu-1"


async def test_a_refusal_names_the_rule_and_its_end_wakes_the_claim(world: World) -> None:
    await rule_is_heard(world)
    (answer,) = await world.allocate(claim("one"))
    assert answer.refusal is not None
    reply = await world.explain("uid-one")
    assert reply.answer.refusal is not None
    assert [each.message for each in reply.answer.refusal.refusals] == [
        "tainted by DeviceTaintRule fans.rack-7: example.com/maintenance=fan:NoSchedule"
    ]
    assert reply.change is not None
    assert reply.change.kind is ChangeKind.TOLERATE
    await world.bus.commit([GONE])
    assert await until(world.held, bool) == {"uid-one": ["node-a/gpu-0"]}


async def test_a_rule_that_is_narrowed_wakes_the_claims_that_wait(world: World) -> None:
    await rule_is_heard(world)
    (answer,) = await world.allocate(claim("one"))
    assert answer.refusal is not None
    await world.bus.tell(TAINT_RULES, rule("gpu-0"))
    assert await until(world.held, bool) == {"uid-one": ["node-a/gpu-1"]}


async def test_what_was_tainted_then_is_explained_as_it_was(world: World, history: History) -> None:
    tainted = await history.tell(TAINT_RULES, rule())
    gone = await history.write(GONE)
    document = claim("one")
    for event, fits in ((tainted, False), (gone, True)):
        reply = await world.bus.ask(EXPLAIN, ExplainRequest(document=document, at=event))
        assert isinstance(reply, ExplainReply), reply
        assert (reply.answer.allocation is not None) is fits
        assert reply.as_of is not None


async def test_a_claim_that_holds_a_device_keeps_it_whatever_a_rule_says_later(world: World) -> None:
    await world.allocate(claim("one"))
    await rule_is_heard(world)
    (answer,) = await world.allocate(claim("two"))
    assert answer.refusal is not None
    assert await world.held() == {"uid-one": ["node-a/gpu-0"]}
    known = ClaimRef(uid=ClaimUID("uid-one"))
    reply = await world.bus.ask(EXPLAIN, ExplainRequest(claim=known))
    assert isinstance(reply, ExplainReply)
    assert reply.held
