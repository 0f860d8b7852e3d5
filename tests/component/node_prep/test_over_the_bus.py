"""Without a kubelet: prepare and unprepare are asked over the bus, and a release is enough."""

from __future__ import annotations

import asyncio

import pytest

from slicewire.client.local.broker import Broker
from slicewire.common.bus.port import Declined
from slicewire.common.messages import PREPARE, UNPREPARE, PrepareReply, PrepareRequest, UnprepareReply
from slicewire.node_prep.core.entry import Asker
from tests.component.node_prep.harness import SOON_SECONDS, Station, asked, held, named
from tests.component.node_prep.test_prepare import PREPARED
from tests.kubelet.client import Kubelet
from tests.unit.node_prep.builders import DRIVER, NODE, a_claim, a_config

pytestmark = pytest.mark.slow

ASK = PrepareRequest(claim=named())


async def test_the_bus_answers_what_is_then_told(station: Station) -> None:
    await station.author.tell_ledger(held())
    async with station.serving(with_kubelet=False):
        assert await station.bus.ask(PREPARE, ASK, NODE) == PrepareReply(prepared=PREPARED)
        assert station.disk.entries["claim-1"]["askedBy"] == "bus"
        await station.told("claim-1", PREPARED)
        assert await station.bus.ask(UNPREPARE, ASK, NODE) == UnprepareReply(claim=named())
        await station.told("claim-1", None)
    assert station.disk.cdi_files == ()
    assert not station.disk.registry_dir.exists()


async def test_a_claim_that_is_released_is_unprepared_by_itself(station: Station) -> None:
    await station.author.tell_ledger(held(), held("claim-2", "gpu-1"))
    async with station.serving(with_kubelet=False) as service:
        for uid in ("claim-1", "claim-2"):
            await station.bus.ask(PREPARE, PrepareRequest(claim=named(uid)), NODE)
        await station.author.tell_ledger(held("claim-2", "gpu-1"))
        await service.until_stands("claim-1", prepared=False)
        await station.told("claim-1", None)
    assert station.disk.cdi_files == ("k8s.gpu.nvidia.com-claim_claim-2.json",)


async def test_a_claim_that_is_released_while_we_are_down_is_unprepared_after(station: Station) -> None:
    await station.author.tell_ledger(held())
    async with station.serving(with_kubelet=False):
        await station.bus.ask(PREPARE, ASK, NODE)
        await station.told("claim-1", PREPARED)
    await station.author.tell_ledger()
    async with station.serving(with_kubelet=False) as service:
        await service.until_stands("claim-1", prepared=False)
        await station.told("claim-1", None)
    assert station.disk.cdi_files == ()


async def test_a_kubelets_claim_is_not_unprepared_over_the_bus(station: Station) -> None:
    await station.author.tell_ledger(held())
    async with station.kubelet() as plugin:
        await plugin.prepared(asked())
        assert await station.bus.ask(UNPREPARE, ASK, NODE) == Declined(
            409,
            "claim default/named-claim-1 (claim-1) is the kubelet's,"
            " which unprepares it when its pods have ended",
        )
    assert list(station.disk.entries) == ["claim-1"]


@pytest.mark.parametrize(
    ("device", "config", "code"),
    [("gpu-9", (), 404), ("gpu-0", (a_config("Nonsense"),), 400), ("gpu-1", (), 409)],
)
async def test_a_refusal_is_declined_with_its_code(
    station: Station, device: str, config: tuple[()], code: int
) -> None:
    await station.author.tell_ledger(held("claim-2", "gpu-1"), held("claim-1", device, config=config))
    async with station.serving(with_kubelet=False):
        await station.bus.ask(PREPARE, PrepareRequest(claim=named("claim-2")), NODE)
        declined = await station.bus.ask(PREPARE, ASK, NODE)
    assert isinstance(declined, Declined)
    assert declined.code == code


async def test_a_claim_nobody_allocated_is_declined_and_nothing_is_told(station: Station) -> None:
    async with station.serving(with_kubelet=False):
        declined = await station.bus.ask(PREPARE, ASK, NODE)
        assert isinstance(declined, Declined)
        assert declined.code == 404
        await station.told("claim-1", None)


async def test_a_prepared_claim_is_answered_while_the_bus_is_away(station: Station, broker: Broker) -> None:
    await station.author.tell_ledger(held())
    async with station.kubelet() as plugin:
        answer = await plugin.prepared(asked())
        await station.told("claim-1", PREPARED)
        await broker.stop()
        assert await plugin.prepared(asked()) == answer
        assert "is already allocated" not in (await plugin.prepare([asked("claim-2")]))["claim-2"].error
        await broker.start()


async def test_a_restart_while_the_bus_is_away_answers_from_the_checkpoint(
    station: Station, broker: Broker
) -> None:
    await station.author.tell_ledger(held())
    async with station.kubelet() as plugin:
        answer = await plugin.prepared(asked())
    await broker.stop()
    station.disk.cdi_file("claim-1").unlink()
    async with (
        station.serving(ready=False) as service,
        Kubelet(station.disk.registry_dir).registered(DRIVER) as plugin,
    ):
        assert not service.upkeep.is_ready()
        assert await plugin.prepared(asked()) == answer
        assert station.disk.cdi_file("claim-1").exists()
        assert (await plugin.prepare([asked("claim-2")]))["claim-2"].error.endswith(
            "; the bus has not been heard to the end yet"
        )
    await broker.start()


@pytest.mark.slow
async def test_what_is_done_while_the_bus_is_away_is_told_when_it_is_back(
    station: Station, broker: Broker
) -> None:
    await station.author.tell_ledger(held())
    async with station.serving() as service:
        await broker.stop()
        async with asyncio.timeout(SOON_SECONDS):
            assert isinstance(await service.node_prep.prepare(a_claim(), Asker.KUBELET, {}), tuple)
        await broker.start()
        await station.told("claim-1", PREPARED)


async def test_what_another_hand_wrote_about_our_claims_is_put_right(station: Station) -> None:
    await station.author.tell_ledger(held())
    async with station.kubelet() as plugin:
        await plugin.prepared(asked())
        await station.told("claim-1", PREPARED)
        await station.say_wrongly("claim-1")
        await station.told("claim-1", PREPARED)
        await station.say_wrongly("claim-7")
        await station.told("claim-7", None)
