"""A server that drops what it does not know: said once, not written again and again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from slicewire.common.bus.nats import NatsBus
from tests.component.publisher.world import MANAGED, NODE, World, gpus, publishing
from tests.kubeapi import kinds
from tests.kubeapi.requests import Write
from tests.kubeapi.server import serving
from tests.kubeapi.store import Store
from tests.kubeapi.targets import Target


class WithoutTaints(Store):
    """As with the feature gate DRADeviceTaints off."""

    def create(
        self, target: Target, sent: Mapping[str, Any], write: Write | None = None
    ) -> Mapping[str, Any]:
        return super().create(target, _without_taints(sent), write)

    def update(
        self, target: Target, sent: Mapping[str, Any], write: Write | None = None
    ) -> Mapping[str, Any]:
        return super().update(target, _without_taints(sent), write)


def _without_taints(sent: Mapping[str, Any]) -> Mapping[str, Any]:
    if "devices" not in sent.get("spec", {}) or sent.get("kind") != "ResourceSlice":
        return sent
    devices = [{key: each[key] for key in each if key != "taints"} for each in sent["spec"]["devices"]]
    return {**sent, "spec": {**sent["spec"], "devices": devices}}


@pytest.fixture
async def world(bus: NatsBus, tmp_path: Path) -> AsyncIterator[World]:
    async with serving(store=WithoutTaints()) as api:
        world = World(bus, api)
        world.add_node(labels=MANAGED)
        async with publishing(bus, api, tmp_path):
            yield world


async def test_what_the_server_drops_is_not_written_again(world: World) -> None:
    await world.tell_pool(gpus(100))
    await world.until(lambda: len(world.slices()) == 2)
    for _ in range(3):
        await world.settled()
    mine = {found["metadata"]["name"] for found in world.slices()}
    assert world.writes_about("resourceslices", *mine) == []


async def test_what_changes_later_is_written_all_the_same(world: World) -> None:
    await world.tell_pool(gpus(1))
    await world.until(world.slices)
    await world.tell_pool(gpus(2))
    await world.until(lambda: world.device_names() == [["gpu-0", "gpu-1"]])
    await world.settled()
    world.delete(kinds.SLICES, world.slices(NODE)[0]["metadata"]["name"])
    await world.until(lambda: world.device_names() == [["gpu-0", "gpu-1"]])
