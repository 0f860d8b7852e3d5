"""kill -9 of any one part in the middle of the demo's claims: started again, they end as they would have."""

from __future__ import annotations

import asyncio
import contextlib

import grpc
import pytest

from examples.demo import Demo, until
from slicewire.common.bus.port import BusUnavailable
from tests.kubelet.client import KubeletError

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


async def claims_end_as_they_should(demo: Demo) -> None:
    """Each device is given once, every claim prepared, and everything given back in the end."""
    claims = (await demo.api.claims()).values()
    given = [
        (result["pool"], result["device"])
        for claim in claims
        for result in claim["status"]["allocation"]["devices"]["results"]
    ]
    assert len(given) == len(set(given)) == 15
    async with demo.kubelets() as plugins:
        await demo.claims_are_prepared(plugins)
        await demo.claims_are_released(plugins)


@pytest.mark.parametrize("part", ["allocator-1", "publisher", "discovery@node-a", "node-prep@node-a"])
async def test_a_part_killed_while_claims_are_allocated(demo: Demo, part: str) -> None:
    await demo.devices_are_discovered()
    await demo.slices_are_published()
    allocating = asyncio.create_task(demo.claims_are_allocated())
    await first_claim_exists(demo)
    demo.running.children[part].kill()
    await allocating
    await claims_end_as_they_should(demo)


async def test_both_allocators_killed_while_claims_are_allocated(demo: Demo) -> None:
    await demo.slices_are_published()
    allocating = asyncio.create_task(demo.claims_are_allocated())
    await first_claim_exists(demo)
    for part in ("allocator-1", "allocator-2"):
        demo.running.children[part].kill()
    await allocating
    await claims_end_as_they_should(demo)


async def test_the_bus_killed_while_claims_are_allocated(demo: Demo) -> None:
    await demo.slices_are_published()
    allocating = asyncio.create_task(demo.claims_are_allocated())
    await first_claim_exists(demo)
    await demo.running.broker.kill()
    await demo.running.broker.start()
    await allocating
    await asyncio.wait_for(the_bus_is_back(demo), 20)
    await claims_end_as_they_should(demo)


async def test_node_prep_killed_while_claims_are_prepared(demo: Demo) -> None:
    await demo.slices_are_published()
    await demo.claims_are_allocated()
    async with demo.kubelets() as plugins:
        preparing = asyncio.create_task(demo.claims_are_prepared(plugins))
        await asyncio.sleep(0)  # the first call is on its way
        for node in ("node-a", "node-b"):
            demo.running.children[f"node-prep@{node}"].kill()
        with contextlib.suppress(grpc.RpcError, KubeletError):  # a kubelet asks again
            await preparing
    await asyncio.wait_for(registered_again(demo), 20)
    await claims_end_as_they_should(demo)


async def first_claim_exists(demo: Demo) -> None:
    await until("a claim", demo.api.claims, bool)


async def the_bus_is_back(demo: Demo) -> None:
    while True:
        with contextlib.suppress(BusUnavailable):
            await demo.devices_are_discovered()
            return
        await asyncio.sleep(0.05)


async def registered_again(demo: Demo) -> None:
    while True:
        with contextlib.suppress(KubeletError, grpc.RpcError):
            async with demo.kubelets():
                return
        await asyncio.sleep(0.05)
