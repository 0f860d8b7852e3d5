"""A claim's trace is one, whichever publisher tells it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from slicewire.common import telemetry
from slicewire.common.bus.port import CaughtUp, Heard
from slicewire.common.messages import CLAIMS, KUBE_SCHEDULER, ClaimObserved
from slicewire.common.model import ResourceClaim, wire
from tests.component.publisher.world import SECONDS, World, publishing
from tests.kubeapi import kinds
from tests.kubeapi.examples import a_claim

pytestmark = pytest.mark.slow

TRACE = "a" * 32


async def heard_last(world: World, decided_by: str) -> Heard[ClaimObserved]:
    async with asyncio.timeout(SECONDS):
        async for heard in world.bus.follow(CLAIMS):
            if not isinstance(heard, CaughtUp) and heard.fact and heard.fact.decided_by == decided_by:
                return heard
    raise AssertionError("following never ends")


async def test_a_publisher_goes_on_in_the_trace_of_what_the_one_before_it_has_told(
    world: World, tmp_path: Path
) -> None:
    created = world.create(kinds.CLAIMS, a_claim())
    before = ClaimObserved(claim=wire.convert(created, ResourceClaim), decided_by="one-before")
    with telemetry.carried({"traceparent": f"00-{TRACE}-{'b' * 16}-01"}):
        await world.bus.tell(CLAIMS, before)
    async with publishing(world.bus, world.api, tmp_path):
        again = await heard_last(world, KUBE_SCHEDULER)
    assert again.headers["traceparent"].split("-")[1] == TRACE
