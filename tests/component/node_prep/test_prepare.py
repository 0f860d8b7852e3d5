"""The kubelet asks for a claim: what it gets, and what a container gets of it."""

from __future__ import annotations

import asyncio
import stat

import pytest

from slicewire.common.messages import ClaimPrepared, PreparedDevice
from slicewire.common.model import DeviceName
from slicewire.node_prep.core.entry import Asker
from tests.component.node_prep.harness import Station, asked, held, named
from tests.kubelet import runtime
from tests.kubelet.client import Answer, GivenDevice, Kubelet
from tests.unit.node_prep.builders import DRIVER, NODE, POOL, a_claim

PREPARED = ClaimPrepared(
    node=NODE,
    claim=named(),
    devices=(
        PreparedDevice(
            request_names=("gpu",),
            pool=POOL,
            device=DeviceName("gpu-0"),
            cdi_device_ids=("k8s.gpu.nvidia.com/claim=claim-1-gpu-0",),
        ),
    ),
)


async def test_a_prepared_claim_is_answered_written_down_and_told(station: Station) -> None:
    await station.author.tell_ledger(held())
    async with station.kubelet() as plugin:
        assert await plugin.prepare([asked()]) == {
            "claim-1": Answer(
                devices=(
                    GivenDevice(
                        request_names=("gpu",),
                        pool_name="node-a",
                        device_name="gpu-0",
                        cdi_device_ids=("k8s.gpu.nvidia.com/claim=claim-1-gpu-0",),
                    ),
                )
            )
        }
        entry = station.disk.entries["claim-1"]
        assert (entry["state"], entry["askedBy"]) == ("PrepareCompleted", "kubelet")
        await station.told("claim-1", PREPARED)


async def test_the_container_gets_its_gpu_the_driver_and_no_other_gpu(station: Station) -> None:
    await station.author.tell_ledger(held("claim-1", "gpu-2"))
    async with station.kubelet() as plugin:
        answer = await plugin.prepared(asked())
    container = runtime.container(answer.cdi_device_ids, station.disk.cdi_root)
    gpus = [path for path in container.device_nodes if path.removeprefix("/dev/nvidia").isdigit()]
    assert gpus == ["/dev/nvidia2"]
    assert "/dev/nvidiactl" in container.device_nodes
    assert container.env["NVIDIA_VISIBLE_DEVICES"] == "void"
    assert container.env["NVIDIA_CTK_LIBCUDA_DIR"] == "/usr/lib/x86_64-linux-gnu"
    assert {"/usr/bin/nvidia-smi", "/usr/lib/x86_64-linux-gnu/libcuda.so.1"} <= set(container.mounts)
    root = str(station.nvml.driver_root)
    assert all(str(mount["hostPath"]).startswith(root) for mount in container.mounts.values())


async def test_a_claim_for_several_gpus_gets_them_all_in_one_file(station: Station) -> None:
    await station.author.tell_ledger(held("claim-1", "gpu-1", "gpu-3"))
    async with station.kubelet() as plugin:
        answer = await plugin.prepared(asked())
    container = runtime.container(answer.cdi_device_ids, station.disk.cdi_root)
    assert {"/dev/nvidia1", "/dev/nvidia3"} <= set(container.device_nodes)
    assert station.disk.cdi_files == ("k8s.gpu.nvidia.com-claim_claim-1.json",)


async def test_many_claims_are_prepared_at_once_and_none_is_lost(station: Station) -> None:
    uids = [f"claim-{number}" for number in range(4)]
    await station.author.tell_ledger(*(held(uid, f"gpu-{number}") for number, uid in enumerate(uids)))
    async with station.kubelet() as plugin:
        answers = await asyncio.gather(*(plugin.prepared(asked(uid)) for uid in uids))
    assert [answer.devices[0].device_name for answer in answers] == ["gpu-0", "gpu-1", "gpu-2", "gpu-3"]
    assert sorted(station.disk.entries) == uids


async def test_a_second_question_gets_the_same_answer_and_changes_nothing(station: Station) -> None:
    await station.author.tell_ledger(held())
    async with station.kubelet() as plugin:
        first = await plugin.prepared(asked())
        before = station.disk.cdi_file("claim-1").stat().st_ino, station.disk.checkpoint.stat().st_ino
        assert await plugin.prepared(asked()) == first
        assert before == (
            station.disk.cdi_file("claim-1").stat().st_ino,
            station.disk.checkpoint.stat().st_ino,
        )


async def test_the_same_claim_asked_for_many_times_at_once_is_prepared_once(station: Station) -> None:
    await station.author.tell_ledger(held())
    async with station.kubelet() as plugin:
        answers = await asyncio.gather(*(plugin.prepared(asked()) for _ in range(8)))
    assert len(set(answers)) == 1


async def test_a_cdi_file_that_a_reboot_took_is_written_again(station: Station) -> None:
    await station.author.tell_ledger(held())
    async with station.kubelet() as plugin:
        answer = await plugin.prepared(asked())
        station.disk.cdi_file("claim-1").unlink()
        assert await plugin.prepared(asked()) == answer
    runtime.container(answer.cdi_device_ids, station.disk.cdi_root)


async def test_a_claim_that_was_given_other_devices_is_prepared_anew(station: Station) -> None:
    await station.author.tell_ledger(held("claim-1", "gpu-0"))
    async with station.serving() as service, Kubelet(station.disk.registry_dir).registered(DRIVER) as plugin:
        await plugin.prepared(asked())
        await station.author.tell_ledger(held("claim-1", "gpu-1"))
        await service.hears(held("claim-1", "gpu-1"))
        answer = await plugin.prepared(asked())
    assert [device.device_name for device in answer.devices] == ["gpu-1"]
    gpus = runtime.container(answer.cdi_device_ids, station.disk.cdi_root).device_nodes
    assert "/dev/nvidia0" not in gpus


async def test_a_claim_that_is_not_yet_in_the_ledger_is_waited_for(station: Station) -> None:
    async with station.kubelet(ledger_wait_seconds=5) as plugin:
        question = asyncio.ensure_future(plugin.prepared(asked()))
        await station.author.tell_ledger(held())
        assert (await question).devices[0].device_name == "gpu-0"


async def test_requests_are_named_without_the_alternative(station: Station) -> None:
    await station.author.tell_ledger(held("claim-1", "gpu-0", request="gpu/large"))
    async with station.kubelet() as plugin:
        assert (await plugin.prepared(asked())).devices[0].request_names == ("gpu",)


async def test_files_are_private_to_whom_they_concern(station: Station) -> None:
    await station.author.tell_ledger(held())
    async with station.kubelet() as plugin:
        await plugin.prepared(asked())
        modes = {
            path.name: stat.S_IMODE(path.stat().st_mode)
            for folder in (station.disk.plugin_dir, station.disk.registry_dir, station.disk.cdi_root)
            for path in (folder, *folder.iterdir())
        }
    assert modes == {
        "plugin": 0o750,
        "dra.sock": 0o600,
        "checkpoint.json": 0o600,
        "gate.lock": 0o600,
        "turn.lock": 0o600,
        "registry": 0o750,
        "gpu.nvidia.com-reg.sock": 0o600,
        "cdi": 0o755,
        "k8s.gpu.nvidia.com-claim_claim-1.json": 0o644,
    }


async def test_what_the_bus_prepared_is_the_kubelets_once_the_kubelet_asks(station: Station) -> None:
    await station.author.tell_ledger(held())
    async with station.serving() as service, Kubelet(station.disk.registry_dir).registered(DRIVER) as plugin:
        await service.node_prep.prepare(a_claim(), Asker.BUS, {})
        assert station.disk.entries["claim-1"]["askedBy"] == "bus"
        await plugin.prepared(asked())
        assert station.disk.entries["claim-1"]["askedBy"] == "kubelet"


@pytest.mark.parametrize("version", ["v1.DRAPlugin", "v1beta1.DRAPlugin"])
async def test_a_kubelet_of_either_version_is_served(station: Station, version: str) -> None:
    await station.author.tell_ledger(held())
    async with (
        station.serving(),
        Kubelet(station.disk.registry_dir, versions=[version]).registered(DRIVER) as plugin,
    ):
        assert plugin.version == version
        assert (await plugin.prepared(asked())).cdi_device_ids == ("k8s.gpu.nvidia.com/claim=claim-1-gpu-0",)
        assert await plugin.unprepare([asked()]) == {"claim-1": ""}
    assert station.disk.cdi_files == ()
