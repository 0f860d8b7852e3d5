"""Killed at any point, started again: the same answer, and nothing left behind.

Each test makes the disk as a kill at one point leaves it; test_process.py kills for real.
"""

from __future__ import annotations

import pytest

from slicewire.common.model import ClaimUID, TraceParent
from slicewire.node_prep.core.checkpoint import Checkpoint
from slicewire.node_prep.core.entry import BEGUN, Asker
from slicewire.node_prep.core.record import encode
from tests.component.node_prep.harness import Station, asked, held
from tests.component.node_prep.test_prepare import PREPARED
from tests.kubelet import runtime
from tests.unit.node_prep.builders import a_claim, a_plan, reserved

pytestmark = pytest.mark.slow

UID = ClaimUID("claim-1")
STARTED = reserved(0).with_progress(UID, 1, BEGUN)
"""The CDI file was to be written."""
STARTED_OVER_THE_BUS = Checkpoint().with_reserved(a_plan(0), Asker.BUS, TraceParent(""))


def leave(station: Station, checkpoint: Checkpoint | None = None, cdi_file: bytes | None = None) -> None:
    if checkpoint is not None:
        station.disk.plugin_dir.mkdir(parents=True, exist_ok=True)
        station.disk.checkpoint.write_bytes(encode(checkpoint))
    if cdi_file is not None:
        station.disk.cdi_root.mkdir(parents=True, exist_ok=True)
        station.disk.cdi_file(UID).write_bytes(cdi_file)


async def prepared_before(station: Station) -> None:
    """A claim prepared by a process that is no more."""
    await station.author.tell_ledger(held())
    async with station.kubelet() as plugin:
        await plugin.prepared(asked())
        await station.told(UID, PREPARED)


async def check_it_can_be_prepared_and_unprepared(station: Station) -> None:
    async with station.kubelet() as plugin:
        answer = await plugin.prepared(asked())
        assert "/dev/nvidia0" in runtime.container(answer.cdi_device_ids, station.disk.cdi_root).device_nodes
        await station.told(UID, PREPARED)
        assert await plugin.unprepare([asked()]) == {UID: ""}
        await station.told(UID, None)
    assert station.disk.cdi_files == ()
    assert station.disk.entries == {}


@pytest.mark.parametrize("cdi_file", [None, b"", b'{"cdiVersion":"0.5.0"'], ids=["none", "empty", "half"])
async def test_a_kill_between_reservation_and_completion_is_undone(
    station: Station, cdi_file: bytes | None
) -> None:
    leave(station, STARTED, cdi_file)
    await station.author.tell_ledger(held())
    async with station.serving():
        assert station.disk.entries == {}
        assert station.disk.cdi_files == ()
    await check_it_can_be_prepared_and_unprepared(station)


async def test_a_device_reserved_by_a_killed_process_is_free_again(station: Station) -> None:
    leave(station, STARTED)
    await station.author.tell_ledger(held("claim-2", "gpu-0"))
    async with station.kubelet() as plugin:
        assert (await plugin.prepared(asked("claim-2"))).devices[0].device_name == "gpu-0"


async def test_a_kill_after_completion_and_before_the_answer_is_told_and_answered_again(
    station: Station,
) -> None:
    await prepared_before(station)
    await station.say_wrongly(UID)
    async with station.serving():
        await station.told(UID, PREPARED)
    await check_it_can_be_prepared_and_unprepared(station)


async def test_a_reboot_takes_the_cdi_files_and_they_are_made_again(station: Station) -> None:
    await prepared_before(station)
    before = station.disk.cdi_file(UID).read_bytes()
    station.disk.cdi_file(UID).unlink()
    async with station.serving():
        assert station.disk.cdi_file(UID).read_bytes() == before
    await check_it_can_be_prepared_and_unprepared(station)


async def test_a_kill_while_unpreparing_leaves_an_entry_that_can_be_unprepared_again(
    station: Station,
) -> None:
    await prepared_before(station)
    station.disk.cdi_file(UID).unlink()  # the first step of unprepare
    async with station.kubelet() as plugin:
        assert await plugin.unprepare([asked()]) == {UID: ""}
        await station.told(UID, None)
    assert station.disk.cdi_files == ()
    assert station.disk.entries == {}


async def test_a_kill_after_unpreparing_and_before_it_was_told_is_told_later(station: Station) -> None:
    await prepared_before(station)
    station.disk.cdi_file(UID).unlink()
    station.disk.checkpoint.write_bytes(encode(Checkpoint()))
    async with station.serving():
        await station.told(UID, None)


async def test_what_was_half_written_is_swept_away(station: Station) -> None:
    await prepared_before(station)
    leftovers = [
        station.disk.cdi_root / ".slicewire-abc.tmp",
        station.disk.plugin_dir / ".slicewire-abc.tmp",
    ]
    foreign = station.disk.cdi_root / ".other.tmp"
    for path in (*leftovers, foreign):
        path.write_bytes(b"{")
    async with station.serving():
        assert not any(path.exists() for path in leftovers)
    assert foreign.exists()


@pytest.mark.parametrize(
    "damage",
    [b"", b"\x00" * 64, b'{"version":1,"claims":{"claim-1":{"state":"Prep', b'{"version":99,"claims":{}}'],
    ids=["empty", "zeros", "truncated", "newer"],
)
async def test_a_corrupt_checkpoint_is_set_aside_and_made_again(station: Station, damage: bytes) -> None:
    await prepared_before(station)
    station.disk.checkpoint.write_bytes(damage)
    async with station.serving() as service:
        await service.until_stands(UID, prepared=True)
    assert station.disk.entries[UID]["askedBy"] == "kubelet"
    assert (station.disk.plugin_dir / "checkpoint.json.corrupt-1").read_bytes() == damage
    await check_it_can_be_prepared_and_unprepared(station)


async def test_a_lost_checkpoint_is_made_again_and_the_device_stays_taken(station: Station) -> None:
    await prepared_before(station)
    station.disk.checkpoint.unlink()
    await station.author.tell_ledger(held(), held("claim-2", "gpu-0"))
    async with station.kubelet() as plugin:
        error = (await plugin.prepare([asked("claim-2")]))["claim-2"].error
    assert error == "requested device gpu-0 is already allocated to different claim claim-1"
    await check_it_can_be_prepared_and_unprepared(station)


async def test_a_cdi_file_whose_claim_is_over_is_removed(station: Station) -> None:
    await prepared_before(station)
    station.disk.checkpoint.unlink()
    foreign = station.disk.cdi_root / "other-device.json"
    foreign.write_text("{}")
    await station.author.tell_ledger()
    async with station.serving() as service:
        await service.until_gone(station.disk.cdi_file(UID))
        await station.told(UID, None)
    assert station.disk.cdi_files == (foreign.name,)


async def test_a_stray_cdi_file_is_kept_until_the_ledger_was_heard(station: Station) -> None:
    """Its containers may run: silence is no release."""
    leave(station, cdi_file=b"{}")
    async with station.serving():
        await station.author.tell_inventory()
    assert station.disk.cdi_file(UID).exists()


async def test_a_claim_prepared_over_the_bus_is_taken_up_over_the_bus(station: Station) -> None:
    leave(station, STARTED_OVER_THE_BUS.with_prepared(UID))
    await station.author.tell_ledger()
    async with station.serving(with_kubelet=False) as service:
        await service.until_stands(UID, prepared=False)
    assert station.disk.cdi_files == ()


async def test_silence_of_the_ledger_releases_nothing(station: Station) -> None:
    """A stream that was made anew knows no claims; the containers run on."""
    leave(station, STARTED_OVER_THE_BUS.with_prepared(UID))
    async with station.serving(with_kubelet=False):
        await station.author.tell_inventory()
        assert list(station.disk.entries) == [UID]


async def test_a_reservation_is_on_the_disk_before_the_cdi_file(station: Station) -> None:
    """So that there is never a CDI file nobody knows of."""
    await station.author.tell_ledger(held())
    async with station.serving(with_kubelet=False) as service:
        station.disk.checkpoint.mkdir(parents=True)
        refused = await service.node_prep.prepare(a_claim(), Asker.BUS, {})
    assert "checkpoint.json" in str(refused)
    assert station.disk.cdi_files == ()
