"""The publisher and node-prep hear the same bombs: what was told well goes on to be published, prepared."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from slicewire.common.bus.nats import NatsBus
from slicewire.common.bus.port import CaughtUp
from slicewire.common.messages import ANSWERS, CLAIMS, INVENTORY, PREPARED
from slicewire.common.model import wire
from slicewire.common.samples import sample
from tests.component.node_prep.harness import Station, asked, held
from tests.component.publisher.world import NODE, World, gpus, publishing, running
from tests.hostile.words import BODIES
from tests.hostile.world import Stranger
from tests.kubeapi import kinds
from tests.kubeapi.examples import a_claim
from tests.kubeapi.server import serving
from tests.unit.node_prep.builders import DRIVER
from tests.unit.node_prep.builders import NODE as ITS_NODE


@pytest.fixture
async def published(bus: NatsBus, tmp_path: Path) -> AsyncIterator[World]:
    async with serving() as api:
        world = World(bus, api)
        world.add_node()
        async with running(world.allocator.run()), publishing(bus, api, tmp_path):
            yield world


async def test_a_publisher_passes_over_what_it_cannot_read(published: World, someone: Stranger) -> None:
    for channel in (INVENTORY, ANSWERS, PREPARED):
        key = [f"evil-{number}" for number in range(len(channel.key_names))]
        for body in (*BODIES.values(), wire.encode(sample(channel.fact))):
            await someone.tell(channel.subject(*key), body)
    await someone.tell("slicewire.v1.state.inventory.one", wire.encode(sample(INVENTORY.fact)))
    await published.tell_pool(gpus(2))
    (found,) = await published.until(published.slices)
    assert found["spec"]["nodeName"] == NODE


async def test_a_node_passes_over_what_it_cannot_read_of_its_own_ledger(
    station: Station, someone: Stranger
) -> None:
    await station.author.tell_ledger(held())
    async with station.kubelet() as plugin:
        place = f"{ITS_NODE}.{DRIVER.replace('.', '_')}"
        for body in BODIES.values():
            await someone.tell(f"slicewire.v1.state.ledger.{place}", body)
            await someone.tell(f"slicewire.v1.state.prepared.{ITS_NODE}.evil", body)
        assert (await plugin.prepared(asked())).devices
        await station.author.tell_ledger(held("claim-2", "gpu-1"))
        assert (await plugin.prepared(asked("claim-2"))).devices


async def test_a_claim_of_kubernetes_that_no_message_holds_waits_alone(published: World) -> None:
    """Its server keeps objects that are larger than a message may be."""
    long = [{"cel": {"expression": f"device.driver != '{'x' * 9000}{n}'"}} for n in range(32)]
    exactly = {"deviceClassName": "gpu.nvidia.com", "selectors": long}
    published.create(kinds.CLAIMS, a_claim("huge", [{"name": f"r{n}", "exactly": exactly} for n in range(5)]))
    published.create(kinds.CLAIMS, a_claim("plain"))
    told: list[str] = []
    async with asyncio.timeout(10):
        async for heard in published.bus.follow(CLAIMS):
            if not isinstance(heard, CaughtUp) and heard.fact is not None:
                told.append(heard.fact.claim.metadata.name)
            if "plain" in told:
                break
    assert told == ["plain"]
