"""Hostile questions on the kubelet's socket: an answer for each claim, and nothing on the disk outside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from slicewire.node_prep.api import dra_v1_pb2
from tests.component.node_prep.harness import Station, asked, held
from tests.hostile.words import NAMES
from tests.kubelet.client import AskedClaim, Plugin

pytestmark = pytest.mark.slow

PLACES = {"gpus", "plugin", "registry", "cdi"}
SERVICE = "/k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin"


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


async def works(plugin: Plugin) -> None:
    await plugin.prepared(asked())
    assert await plugin.unprepare([asked()]) == {"claim-1": ""}


async def raw(station: Station, method: str, body: bytes) -> Any:
    async with grpc.aio.insecure_channel(f"unix:{station.disk.plugin_dir / 'dra.sock'}") as channel:
        call: Any = channel.unary_unary(f"{SERVICE}/{method}")
        return await call(body, timeout=10)


async def test_claims_of_every_name_are_each_answered_and_none_leaves_its_folder(
    station: Station, folder: Path
) -> None:
    await station.author.tell_ledger(held())
    async with station.kubelet() as plugin:
        await works(plugin)
        before = tree(folder)
        strange = [AskedClaim(uid=name, name=name, namespace=name) for name in NAMES]
        prepared = await plugin.prepare(strange)
        assert all(answer.error for answer in prepared.values()), prepared
        assert all(
            len(prepared[name].error) < 12 * 253 + 200 for name in NAMES
        )  # a sign may take ten to write
        assert set((await plugin.unprepare(strange)).values()) == {""}
        assert tree(folder) == before
        await works(plugin)


async def test_a_known_uid_under_any_name_leads_no_file_out_of_its_folder(
    station: Station, folder: Path
) -> None:
    await station.author.tell_ledger(held())
    async with station.kubelet(describes=True) as plugin:
        for name in NAMES:
            await plugin.prepare([AskedClaim(uid="claim-1", name=name, namespace=name)])
            assert {place.split("/")[0] for place in tree(folder)} <= PLACES
            await plugin.unprepare([AskedClaim(uid="claim-1", name=name, namespace=name)])
        await works(plugin)
        assert station.disk.cdi_files == ()


async def test_thousands_of_unknown_claims_are_answered_together(station: Station) -> None:
    await station.author.tell_ledger(held())
    async with station.kubelet() as plugin:
        many = [AskedClaim(uid=f"unknown-{number}", name="n") for number in range(2000)]
        answers = await plugin.prepare(many)
        assert len(answers) == 2000
        assert all(answer.error for answer in answers.values())
        await works(plugin)


@pytest.mark.parametrize("method", ["NodePrepareResources", "NodeUnprepareResources", "NoSuchMethod"])
async def test_bytes_that_are_no_request_are_an_error_of_the_call_alone(
    station: Station, method: str
) -> None:
    await station.author.tell_ledger(held())
    async with station.kubelet() as plugin:
        large = dra_v1_pb2.NodePrepareResourcesRequest(
            claims=[dra_v1_pb2.Claim(uid="u" * 5_000_000)]
        ).SerializeToString()
        for body in (b"\xff" * 100, b"\x0a\xff\xff\xff\xff\x0f", large):
            with pytest.raises(grpc.aio.AioRpcError):
                await raw(station, method, body)
        await works(plugin)


async def test_trace_contexts_that_are_none_are_passed_over(station: Station) -> None:
    await station.author.tell_ledger(held())
    async with station.kubelet() as plugin:
        for header in ("x", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "00-" * 500):
            assert (await plugin.prepared(asked(), traceparent=header)).devices
        await works(plugin)
