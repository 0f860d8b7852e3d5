"""Older servers: found out by what they serve, spoken to in their own words, followed across an upgrade."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from slicewire.common.messages import CLAIMS, CLASSES
from slicewire.common.model import Counter, CounterSet, Device, DeviceCounterConsumption, DeviceName, Quantity
from tests.component.publisher.world import World, gpus, publishing
from tests.kubeapi import kinds
from tests.kubeapi.examples import a_claim, a_request

pytestmark = pytest.mark.slow

OLD = [(32, ("v1beta1",)), (33, ("v1beta2", "v1beta1")), (34, ("v1", "v1beta2", "v1beta1")), (35, ("v1",))]
SHARED = [{"name": "gpu", "resourceClaimName": "claim-1"}]


@pytest.mark.parametrize(("minor", "versions"), OLD)
async def test_slices_are_published_and_claims_are_bound(
    world: World, tmp_path: Path, minor: int, versions: tuple[str, ...]
) -> None:
    world.api.serve_release(minor, *versions)
    async with publishing(world.bus, world.api, tmp_path):
        await world.tell_pool(gpus(2, kind="x"))
        await world.until(lambda: world.device_names() == [["gpu-0", "gpu-1"]])
        (found,) = world.slices()
        assert found["spec"]["devices"][0]["attributes"]["kind"] == {"string": "x"}
        claim = world.create(kinds.CLAIMS, a_claim(requests=[a_request(count=3)]))
        fact = await world.hears(CLAIMS, claim["metadata"]["uid"], bool)
        assert fact.claim.spec.devices.requests[0].exactly.count == 3
        world.add_gated_pod(claims=SHARED)
        await world.answer(claim)
        await world.until(lambda: not world.get(kinds.PODS, "pod-1")["spec"].get("schedulingGates"))
        await world.tell_pool(gpus(3))
        await world.until(lambda: world.device_names() == [["gpu-0", "gpu-1", "gpu-2"]])
    assert world.writes_about("resourceslices") == [("create", ""), ("update", "")]


async def test_a_request_with_alternatives_is_read_in_every_version(world: World, tmp_path: Path) -> None:
    world.api.serve_release(32, "v1beta1")
    choice = [{"name": "fast", "deviceClassName": "gpu.example.com"}]
    async with publishing(world.bus, world.api, tmp_path):
        uid = world.create(kinds.CLAIMS, a_claim(requests=[{"name": "any", "firstAvailable": choice}]))[
            "metadata"
        ]["uid"]
        (request,) = (await world.hears(CLAIMS, uid, bool)).claim.spec.devices.requests
        assert request.exactly is None
        assert [each.name for each in request.first_available] == ["fast"]


@pytest.mark.parametrize(("minor", "sizes"), [(34, [(2, 1), (2, 1), (1, 0)]), (35, [(0, 2), (2, 0), (2, 0)])])
async def test_counters_are_laid_out_as_the_release_wants_them(
    world: World, tmp_path: Path, minor: int, sizes: list[tuple[int, int]]
) -> None:
    world.api.serve_release(minor, "v1")
    counters = tuple(
        CounterSet(name=f"set-{index}", counters={"memory": Counter(value=Quantity("8Gi"))})
        for index in (0, 1)
    )
    parts = tuple(
        Device(
            name=DeviceName(f"part-{index}-{part}"),
            consumes_counters=(DeviceCounterConsumption(counter_set=f"set-{index}", counters=each.counters),),
        )
        for index, each in enumerate(counters)
        for part in (0, 1)
    )
    plain = () if minor > 34 else gpus(1)
    async with publishing(world.bus, world.api, tmp_path):
        await world.tell_pool((*parts, *plain), counters=counters)
        await world.until(lambda: len(world.slices()) >= 2 and _whole(world))
    found = [
        (len(each["spec"].get("devices", ())), len(each["spec"].get("sharedCounters", ())))
        for each in world.slices()
    ]
    if minor > 34:
        assert (found[0], sum(devices for devices, _ in found)) == ((0, 2), 4)
    else:
        assert found == sizes


@pytest.mark.parametrize(("minor", "left_out"), [(34, 2), (36, 0)])
async def test_devices_that_an_older_release_has_no_room_for_are_said_to_be_left_out(
    world: World, tmp_path: Path, minor: int, left_out: int
) -> None:
    world.api.serve_release(minor, "v1")
    counters = (CounterSet(name="set", counters={"memory": Counter(value=Quantity("80Gi"))}),)
    drawn = (DeviceCounterConsumption(counter_set="set", counters={"memory": Counter(Quantity("1Gi"))}),)
    parts = tuple(Device(name=DeviceName(f"part-{number}"), consumes_counters=drawn) for number in range(130))
    async with publishing(world.bus, world.api, tmp_path):
        await world.tell_pool((*parts, *gpus(1)), counters=counters)
        await world.until(lambda: world.slices() and _whole(world))
        await world.settled()
        published = {name for names in world.device_names() for name in names}
        assert len(published) == 131 - left_out
        assert "gpu-0" in published
        if left_out:
            (event,) = await world.until(lambda: _events(world, "DevicesLeftOut"))
            assert event["note"].startswith("2 devices of gpu.example.com, part-128 the first, are not")
        assert len(_events(world, "DevicesLeftOut")) == bool(left_out)


def _events(world: World, reason: str) -> list[Any]:
    return [each for each in world.store.all(kinds.NEW_EVENTS) if each["reason"] == reason]


def _whole(world: World) -> bool:
    return {each["spec"]["pool"]["resourceSliceCount"] for each in world.slices()} == {len(world.slices())}


async def test_an_upgrade_while_it_runs_is_followed(world: World, tmp_path: Path) -> None:
    world.api.serve_release(33, "v1beta1")
    async with publishing(world.bus, world.api, tmp_path) as publisher:
        await world.tell_pool(gpus(1))
        await world.until(world.slices)
        world.api.serve_release(36, "v1")
        world.create(kinds.DEVICE_CLASSES, {"metadata": {"name": "late"}, "spec": {}})
        await world.hears(CLASSES, "late", bool)
        await publisher.learn_dialect()
        await world.tell_pool(gpus(2))
        await world.until(lambda: world.device_names() == [["gpu-0", "gpu-1"]])
