"""A claim that cannot be prepared gets the reason, and nothing is left half done."""

from __future__ import annotations

import pytest

from slicewire.common.messages import ClaimPrepared, Conflict, LedgerEntry, Unreadable
from slicewire.common.model import DeviceID, DeviceName, PoolName
from slicewire.common.nvml.simulated.statefile import StateFile
from tests.component.node_prep.harness import Station, asked, held, named
from tests.kubelet.client import KubeletError
from tests.unit.node_prep.builders import DRIVER, NODE, POOL, a_config


async def reason(station: Station, *entries: LedgerEntry, uid: str = "claim-1") -> str:
    await station.author.tell_ledger(*entries)
    async with station.kubelet() as plugin:
        answer = (await plugin.prepare([asked(uid)]))[uid]
    assert answer.devices == ()
    assert f"k8s.gpu.nvidia.com-claim_{uid}.json" not in station.disk.cdi_files
    assert not station.disk.checkpoint.exists() or uid not in station.disk.entries
    return answer.error


async def test_a_claim_that_is_not_in_the_ledger(station: Station) -> None:
    assert await reason(station, held("claim-2")) == (
        "no allocation for claim default/named-claim-1 (claim-1) in the ledger of node node-a"
    )


async def test_of_a_name_or_uid_that_is_far_too_long_no_more_is_repeated_than_a_name_may_have(
    station: Station,
) -> None:
    long, cut = "x" * 10_000, "x" * 252 + "…"
    async with station.kubelet() as plugin:
        answers = await plugin.prepare([asked("claim-1", long), asked(long)])
    assert answers["claim-1"].error == (
        f"no allocation for claim default/{cut} (claim-1) in the ledger of node node-a"
    )
    assert answers[long].error.startswith(f"claim default/named-{'x' * 246}…: '{cut}' cannot be a claim UID")
    assert len(answers[long].error) < 1_000


async def test_a_claim_that_was_replaced_under_the_same_name(station: Station) -> None:
    replaced = LedgerEntry(claim=named("claim-2", "named-claim-1"), results=held().results)
    assert await reason(station, replaced) == (
        "claim default/named-claim-1 was replaced:"
        " in the ledger of node node-a its UID is claim-2, not claim-1"
    )


async def test_a_device_of_another_node(station: Station) -> None:
    assert await reason(station, held(pool=PoolName("node-b"))) == (
        "device gpu.nvidia.com/node-b/gpu-0 is not in pool node-a of node node-a"
    )


async def test_a_device_that_the_inventory_does_not_have(station: Station) -> None:
    assert await reason(station, held("claim-1", "gpu-9")) == (
        "device gpu.nvidia.com/node-a/gpu-9 is not in the inventory of node node-a"
    )


async def test_a_device_that_cannot_be_read(station: Station) -> None:
    await station.author.tell_inventory(Unreadable(what="gpu-0", reason="GPU is lost"))
    assert await reason(station, held()) == ("device gpu.nvidia.com/node-a/gpu-0 cannot be read: GPU is lost")


async def test_the_second_claim_of_a_conflict(station: Station) -> None:
    device = DeviceID(DRIVER, POOL, DeviceName("gpu-0"))
    conflict = Conflict(device=device, claims=(named("claim-2"), named("claim-1")))
    await station.author.tell_ledger(held(), held("claim-2"), conflicts=(conflict,))
    async with station.kubelet() as plugin:
        answers = await plugin.prepare([asked(), asked("claim-2")])
    assert answers["claim-1"].error == (
        "device gpu-0 is also allocated to claim default/named-claim-2 (claim-2), which had it first"
    )
    assert not answers["claim-2"].error


async def test_a_device_that_is_prepared_for_another_claim(station: Station) -> None:
    await station.author.tell_ledger(held(), held("claim-2"))
    async with station.kubelet() as plugin:
        await plugin.prepared(asked())
        with pytest.raises(KubeletError, match="gpu-0 is already allocated to different claim claim-1"):
            await plugin.prepared(asked("claim-2"))
        assert await plugin.unprepare([asked()]) == {"claim-1": ""}
        assert (await plugin.prepared(asked("claim-2"))).devices[0].device_name == "gpu-0"


async def test_of_two_claims_asked_together_for_one_device_one_gets_it(station: Station) -> None:
    await station.author.tell_ledger(held(), held("claim-2"))
    async with station.kubelet() as plugin:
        answers = await plugin.prepare([asked(), asked("claim-2")])
    assert sorted(bool(answer.error) for answer in answers.values()) == [False, True]
    assert len(station.disk.entries) == len(station.disk.cdi_files) == 1


async def test_admin_access_to_a_device_in_use(station: Station) -> None:
    await station.author.tell_ledger(held(), held("claim-2", admin_access=True))
    async with station.kubelet() as plugin:
        answers = await plugin.prepare([asked(), asked("claim-2")])
    assert [answer.error for answer in answers.values()] == ["", ""]


async def test_a_configuration_with_an_unknown_field(station: Station) -> None:
    wrong = held(config=(a_config(sharing={"strategy": "MPS", "mpsConfg": {}}),))
    assert await reason(station, wrong) == (
        "config[0].opaque.parameters (GpuConfig): Object contains unknown field `mpsConfg` - at `$.sharing`"
    )


async def test_a_configuration_with_an_interval_left_empty(station: Station) -> None:
    empty = held(config=(a_config(sharing={"strategy": "TimeSlicing", "timeSlicingConfig": {}}),))
    assert await reason(station, empty) == (
        "device gpu-0: config[0].opaque.parameters.sharing.timeSlicingConfig.interval is missing:"
        " one of Default, Short, Medium, Long"
    )


async def test_a_driver_that_is_not_there(station: Station) -> None:
    StateFile(station.disk.state).change(lambda state: state.with_driver("driver not loaded"))
    assert await reason(station, held()) == "the NVIDIA driver is not usable: driver not loaded"


async def test_a_gpu_that_fell_off_the_bus_since_it_was_allocated(station: Station) -> None:
    StateFile(station.disk.state).change(lambda state: state.with_fault(0, "GPU is lost"))
    uuid = StateFile(station.disk.state).read().gpu(0).uuid
    assert await reason(station, held()) == f"the driver does not see {uuid} now"


async def test_a_claim_uid_that_would_leave_the_directory(station: Station) -> None:
    uid = "../../outside"
    assert "'../../outside' cannot be a claim UID" in await reason(station, uid=uid)
    async with station.kubelet() as plugin:
        assert await plugin.unprepare([asked(uid)]) == {uid: ""}


async def test_one_bad_claim_does_not_fail_the_others(station: Station) -> None:
    await station.author.tell_ledger(held(), held("claim-2", "gpu-9"))
    async with station.kubelet() as plugin:
        answers = await plugin.prepare([asked(), asked("claim-2"), asked("claim-3"), asked("", "nameless")])
    assert {uid: bool(answer.error) for uid, answer in answers.items()} == {
        "claim-1": False,
        "claim-2": True,
        "claim-3": True,
        "": True,
    }


async def test_a_disk_that_refuses_fails_the_claim_and_keeps_nothing(station: Station) -> None:
    await station.author.tell_ledger(held())
    async with station.kubelet() as plugin:
        station.disk.cdi_root.rmdir()
        station.disk.cdi_root.write_text("a file where the directory should be")
        answer = (await plugin.prepare([asked()]))["claim-1"]
        assert answer.error == f"making {station.disk.cdi_root}: File exists"
        assert station.disk.entries == {}
        await station.told("claim-1", ClaimPrepared(node=NODE, claim=named(), error=answer.error))
        station.disk.cdi_root.unlink()
        assert not (await plugin.prepare([asked()]))["claim-1"].error


async def test_the_reason_is_told_and_forgotten_once_the_claim_is_prepared(station: Station) -> None:
    await station.author.tell_ledger(held("claim-1", "gpu-9"))
    async with station.kubelet() as plugin:
        error = (await plugin.prepare([asked()]))["claim-1"].error
        await station.told("claim-1", ClaimPrepared(node=NODE, claim=named(), error=error))
        await station.author.tell_ledger(held("claim-2"))
        await station.told("claim-1", None)
