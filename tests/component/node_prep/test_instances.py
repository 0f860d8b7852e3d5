"""Two instances of the driver at once, while one replaces the other: both answer, and agree."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from slicewire.common.settings import BadSettings
from slicewire.node_prep import kubelet
from tests.component.node_prep.harness import Station, asked, held
from tests.component.node_prep.process import started
from tests.component.node_prep.test_prepare import PREPARED
from tests.kubelet.client import Kubelet, Plugin
from tests.unit.node_prep.builders import DRIVER

OLD, NEW = "0b1f-old", "0b1f-new"


async def registered(instances: AsyncExitStack, station: Station, instance: str) -> Plugin:
    """The plugin of this instance, as the one that came last."""
    kubelet = Kubelet(station.disk.registry_dir)
    while not any(path.name == f"{DRIVER}-{instance}-reg.sock" for path in kubelet.sockets()):
        await asyncio.sleep(0.01)
    return await instances.enter_async_context(kubelet.registered(DRIVER))


@pytest.mark.slow
async def test_both_answer_what_either_did_until_the_old_one_is_killed(station: Station) -> None:
    await station.author.tell_ledger(held(), held("claim-2", "gpu-1"), held("claim-3"))
    async with AsyncExitStack() as all_of_it:
        starting = started(station.disk, station.nats_url, NODE_PREP_INSTANCE=OLD)
        old_process = await all_of_it.enter_async_context(starting)
        old = await registered(all_of_it, station, OLD)
        answer = await old.prepared(asked())

        await all_of_it.enter_async_context(started(station.disk, station.nats_url, NODE_PREP_INSTANCE=NEW))
        new = await registered(all_of_it, station, NEW)
        assert {plugin.info.endpoint for plugin in (old, new)} == {
            str(station.disk.plugin_dir / f"dra-{instance}.sock") for instance in (OLD, NEW)
        }
        assert await new.prepared(asked()) == answer
        assert (
            "already allocated to different claim claim-1"
            in (await new.prepare([asked("claim-3")]))["claim-3"].error
        )
        await new.prepared(asked("claim-2"))
        assert await old.unprepare([asked("claim-2")]) == {"claim-2": ""}
        assert await new.unprepare([asked()]) == {"claim-1": ""}
        assert (await old.prepared(asked("claim-3"))).devices[0].device_name == "gpu-0"

        await old_process.kill()
        assert (await new.prepare([asked()]))["claim-1"].error.endswith("different claim claim-3")
        assert await new.unprepare([asked("claim-3")]) == {"claim-3": ""}
        await new.prepared(asked())
        await station.told("claim-1", PREPARED)
        await station.told("claim-3", None)
    assert list(station.disk.entries) == ["claim-1"]
    assert station.disk.cdi_files == ("k8s.gpu.nvidia.com-claim_claim-1.json",)


async def churn(plugin: Plugin, number: int, rounds: int) -> None:
    for _ in range(rounds):
        await plugin.prepared(asked(f"claim-{number}"))
        assert await plugin.unprepare([asked(f"claim-{number}")]) == {f"claim-{number}": ""}
    await plugin.prepared(asked(f"claim-{number}"))


async def test_asked_side_by_side_neither_forgets_what_the_other_did(station: Station) -> None:
    await station.author.tell_ledger(*(held(f"claim-{number}", f"gpu-{number}") for number in range(4)))
    async with (
        station.serving(instance=OLD),
        Kubelet(station.disk.registry_dir).registered(DRIVER) as old,
        station.serving(instance=NEW),
        Kubelet(station.disk.registry_dir).registered(DRIVER) as new,
    ):
        assert old.info.endpoint != new.info.endpoint
        await asyncio.gather(*(churn((old, new)[number % 2], number, rounds=5) for number in range(4)))
    assert sorted(station.disk.entries) == [f"claim-{number}" for number in range(4)]
    assert {entry["state"] for entry in station.disk.entries.values()} == {"PrepareCompleted"}


@pytest.mark.slow
async def test_sockets_of_an_instance_that_died_go_with_the_next_start(station: Station) -> None:
    async with started(station.disk, station.nats_url, NODE_PREP_INSTANCE=OLD) as process:
        async with Kubelet(station.disk.registry_dir).registered(DRIVER):
            pass
        await process.kill()
    assert [path.name for path in station.disk.registry_dir.iterdir()] == [f"{DRIVER}-{OLD}-reg.sock"]
    async with station.serving(instance=NEW):
        assert [path.name for path in station.disk.registry_dir.iterdir()] == [f"{DRIVER}-{NEW}-reg.sock"]
        assert [path.name for path in station.disk.plugin_dir.glob("*.sock")] == [f"dra-{NEW}.sock"]


async def test_two_instances_of_one_name_are_one_too_many(station: Station) -> None:
    async with station.kubelet() as plugin:
        with pytest.raises(ExceptionGroup) as raised:
            async with station.serving(ready=False) as second:
                await second.stopped()
        assert raised.group_contains(
            BadSettings, match=r"is served by another process: .* SLICEWIRE_NODE_PREP_INSTANCE"
        )
        assert await plugin.unprepare([asked()]) == {"claim-1": ""}


def test_an_instance_whose_name_is_too_long_for_a_socket_is_known_by_a_short_one(station: Station) -> None:
    uids = ("a" * 120 + "1", "a" * 120 + "2")
    first, second = (
        kubelet.sockets(DRIVER, station.disk.plugin_dir, station.disk.registry_dir, uid) for uid in uids
    )
    assert first.dra != second.dra
    assert first.registration != second.registration
    assert len(str(first.registration)) <= 107
    assert first == kubelet.sockets(DRIVER, station.disk.plugin_dir, station.disk.registry_dir, uids[0]), (
        "the same after a restart"
    )
