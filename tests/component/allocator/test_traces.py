"""Whatever is decided of a claim belongs to its own trace: at once, after a wait, and by whoever decides."""

from __future__ import annotations

import pytest

from slicewire.common import telemetry
from slicewire.common.messages import ANSWERS, INVENTORY, KUBE_SCHEDULER, SLICEWIRE
from tests.component.allocator.world import (
    World,
    allocating,
    allocation,
    claim,
    of_kubernetes,
    pool,
    until,
)

FIRST, SECOND = "a" * 32, "c" * 32


def context(trace: str) -> dict[str, str]:
    return {"traceparent": f"00-{trace}-{'b' * 16}-01"}


async def traces(world: World) -> dict[str, str]:
    return {uid: entry.trace.split("-")[1] for uid, entry in (await world.entries()).items() if entry.trace}


async def test_each_claim_keeps_its_own_trace(world: World) -> None:
    with telemetry.carried(context(FIRST)):
        await world.allocate(claim("one"))
    with telemetry.carried(context(SECOND)):
        await world.allocate(claim("two"))
    await world.allocate(claim("untraced"))
    assert await traces(world) == {"uid-one": FIRST, "uid-two": SECOND}


async def test_what_a_claim_is_given_after_a_wait_is_in_the_trace_of_its_refusal(world: World) -> None:
    await world.allocate(claim("all", 8))
    with telemetry.carried(context(FIRST)):
        (refused,) = await world.allocate(claim("late"))
    assert refused.refusal is not None
    with telemetry.carried(context(SECOND)):
        await world.release("uid-all")
    await until(world.held, lambda held: "uid-late" in held)
    assert await traces(world) == {"uid-late": FIRST}


async def test_an_allocator_that_comes_later_knows_the_trace_of_a_claim_that_waits(
    world: World, nats_url: str
) -> None:
    with telemetry.carried(context(FIRST)):
        await world.allocate(claim("wide", 9))
    async with allocating(nats_url, "allocator-2"):
        await world.bus.tell(INVENTORY, pool("node-a", 9, generation=2))
        await until(world.held, lambda held: "uid-wide" in held)
    assert await traces(world) == {"uid-wide": FIRST}


@pytest.mark.parametrize("decided_by", [SLICEWIRE, KUBE_SCHEDULER])
async def test_the_ledger_says_for_which_pods_a_claim_is_whoever_has_decided_it(
    world: World, decided_by: str
) -> None:
    given = allocation("gpu-0") if decided_by == KUBE_SCHEDULER else None
    with telemetry.carried(telemetry.bearing(context(FIRST), pod_uid=("pod-1", "pod-2"))):
        await world.show(of_kubernetes(claim("shared"), given), decided_by)
    await world.allocate(claim("of-nobody"))
    entries = await until(world.entries, lambda found: len(found) == 2)
    pods = {uid: entry.pod_uids for uid, entry in entries.items()}
    assert pods == {"uid-shared": ("pod-1", "pod-2"), "uid-of-nobody": ()}


async def test_a_claim_that_waits_is_still_for_its_pod_when_it_gets_its_devices_from_another_allocator(
    world: World, nats_url: str
) -> None:
    with telemetry.carried(telemetry.bearing(context(FIRST), pod_uid="pod-1")):
        await world.show(of_kubernetes(claim("wide", 9)))
    await until(lambda: world.now(ANSWERS), bool)
    async with allocating(nats_url, "allocator-2"):
        await world.bus.tell(INVENTORY, pool("node-a", 9, generation=2))
        await until(world.held, bool)
    assert (await world.entries())["uid-wide"].pod_uids == ("pod-1",)
    await world.show(of_kubernetes(claim("wide", 9), allocation(*(f"gpu-{n}" for n in range(9)))))
    confirmed = await until(world.entries, lambda found: found["uid-wide"].confirmed)
    assert confirmed["uid-wide"].pod_uids == ("pod-1",)
