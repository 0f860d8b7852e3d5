"""Containers that can read what their devices are: the files come with the claim and go with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from slicewire.common.model import ClaimUID, TraceParent
from slicewire.node_prep.core.checkpoint import Checkpoint
from slicewire.node_prep.core.described import described
from slicewire.node_prep.core.entry import BEGUN, Asker
from slicewire.node_prep.core.plan import described_too
from slicewire.node_prep.core.record import encode
from slicewire.node_prep.files import names
from tests.component.node_prep.harness import Station, asked, held
from tests.kubelet import runtime
from tests.unit.node_prep.builders import a_device, a_node, a_plan, a_result, an_allocation

UID = ClaimUID("claim-1")
IDS = ("k8s.gpu.nvidia.com/claim=claim-1-gpu-0", "gpu.nvidia.com/metadata=claim-1_gpu")
FOLDER = "/var/run/kubernetes.io/dra-device-attributes/resourceclaims/named-claim-1/gpu"
IN_CONTAINER = f"{FOLDER}/gpu.nvidia.com-metadata.json"


def left(station: Station) -> tuple[list[Path], tuple[str, ...]]:
    """Files that describe, and CDI files."""
    return list(station.disk.plugin_dir.glob("dra-device-metadata/*/*")), names(station.disk.cdi_root)


async def test_a_container_reads_what_was_published_of_its_device(station: Station) -> None:
    await station.author.tell_ledger(held())
    async with station.kubelet(describes=True) as plugin:
        answer = await plugin.prepared(asked())
        assert answer.cdi_device_ids == IDS
        mount = runtime.container(answer.cdi_device_ids, station.disk.cdi_root).mounts[IN_CONTAINER]
        [request] = json.loads(Path(mount["hostPath"]).read_bytes())["requests"]
        [device] = request["devices"]
        assert (device["name"], device["attributes"]["type"]) == ("gpu-0", {"string": "gpu"})
        assert await plugin.unprepare([asked()]) == {UID: ""}
    assert left(station) == ([], ())


async def test_what_a_reboot_took_of_them_is_made_again(station: Station) -> None:
    await station.author.tell_ledger(held())
    async with station.kubelet(describes=True) as plugin:
        await plugin.prepared(asked())
    for name in names(station.disk.cdi_root):
        (station.disk.cdi_root / name).unlink()
    async with station.kubelet() as plugin:
        answer = await plugin.prepared(asked())
        assert answer.cdi_device_ids == IDS
        assert IN_CONTAINER in runtime.container(answer.cdi_device_ids, station.disk.cdi_root).mounts


async def test_a_disk_that_refuses_them_keeps_no_claim_from_its_devices(
    station: Station, caplog: pytest.LogCaptureFixture
) -> None:
    await station.author.tell_ledger(held())
    station.disk.plugin_dir.mkdir(parents=True)
    (station.disk.plugin_dir / "dra-device-metadata").write_bytes(b"in the way")
    async with station.kubelet(describes=True) as plugin:
        answer = await plugin.prepared(asked())
        assert answer.cdi_device_ids == IDS[:1]
        assert runtime.container(answer.cdi_device_ids, station.disk.cdi_root).device_nodes
        assert await plugin.unprepare([asked()]) == {UID: ""}
    assert "devices not described" in caplog.text


@pytest.mark.parametrize("written", [True, False], ids=["after they were written", "before"])
async def test_killed_while_they_are_written_nothing_is_left_of_them(station: Station, written: bool) -> None:
    await station.author.tell_ledger(held())
    if written:
        async with station.kubelet(describes=True) as plugin:
            await plugin.prepared(asked())
    station.disk.plugin_dir.mkdir(parents=True, exist_ok=True)
    station.disk.checkpoint.write_bytes(encode(begun()))
    async with station.serving():
        assert left(station) == ([], ())
        assert station.disk.entries == {}


def begun() -> Checkpoint:
    """The journal of a process that was about to write the files."""
    node = a_node(a_device("gpu-0", type="gpu"))
    plan = described_too(a_plan(0), an_allocation(a_result("gpu-0")), node)
    assert described(an_allocation(a_result("gpu-0")), node).devices
    started = Checkpoint().with_reserved(plan, Asker.KUBELET, TraceParent(""))
    return started.with_progress(UID, 1, BEGUN).with_progress(UID, 2, BEGUN)
