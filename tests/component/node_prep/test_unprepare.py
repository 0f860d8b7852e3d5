"""When it is over: nothing of the claim is left, however often it is said."""

from __future__ import annotations

import pytest

from slicewire.common.messages import ClaimPrepared
from tests.component.node_prep.harness import Station, asked, held, named
from tests.component.node_prep.test_prepare import PREPARED
from tests.kubelet.client import KubeletError
from tests.unit.node_prep.builders import NODE


async def test_an_unprepared_claim_leaves_nothing_behind(station: Station) -> None:
    await station.author.tell_ledger(held())
    async with station.kubelet() as plugin:
        await plugin.prepared(asked())
        await station.told("claim-1", PREPARED)
        assert await plugin.unprepare([asked()]) == {"claim-1": ""}
        assert station.disk.cdi_files == ()
        assert station.disk.entries == {}
        await station.told("claim-1", None)


async def test_unprepare_twice_is_unprepare_once(station: Station) -> None:
    await station.author.tell_ledger(held())
    async with station.kubelet() as plugin:
        await plugin.prepared(asked())
        assert await plugin.unprepare([asked()]) == {"claim-1": ""}
        assert await plugin.unprepare([asked()]) == {"claim-1": ""}


async def test_a_claim_that_was_never_seen_is_unprepared_already(station: Station) -> None:
    async with station.kubelet() as plugin:
        assert await plugin.unprepare([asked(), asked("claim-2")]) == {"claim-1": "", "claim-2": ""}
    assert not station.disk.checkpoint.exists()


async def test_unprepare_needs_no_ledger(station: Station) -> None:
    """The claim may be deleted by then."""
    await station.author.tell_ledger(held())
    async with station.kubelet() as plugin:
        await plugin.prepared(asked())
        await station.author.tell_ledger()
        assert await plugin.unprepare([asked()]) == {"claim-1": ""}
    assert station.disk.cdi_files == ()


async def test_a_claim_the_kubelet_asked_for_waits_for_the_kubelet(station: Station) -> None:
    """Its containers may still run: a release alone takes nothing away."""
    await station.author.tell_ledger(held(), held("claim-2", "gpu-1"))
    async with station.kubelet() as plugin:
        await plugin.prepared(asked())
        await station.author.tell_ledger(held("claim-2", "gpu-9"))
        error = (await plugin.prepare([asked("claim-2")]))["claim-2"].error
        await station.told("claim-2", ClaimPrepared(node=NODE, claim=named("claim-2"), error=error))
        assert list(station.disk.entries) == ["claim-1"]
        with pytest.raises(KubeletError, match=r"claim default/named-claim-1 \(claim-1\) was deallocated"):
            await plugin.prepared(asked())
        assert list(station.disk.entries) == ["claim-1"]


async def test_only_the_claims_that_are_named_are_unprepared(station: Station) -> None:
    await station.author.tell_ledger(held(), held("claim-2", "gpu-1"))
    async with station.kubelet() as plugin:
        await plugin.prepare([asked(), asked("claim-2")])
        await plugin.unprepare([asked()])
    assert list(station.disk.entries) == ["claim-2"]
    assert station.disk.cdi_files == ("k8s.gpu.nvidia.com-claim_claim-2.json",)
