"""The checkpoint in memory and on disk stay one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from slicewire.common.model import ClaimUID, TraceParent
from slicewire.node_prep import files
from slicewire.node_prep.core.checkpoint import Checkpoint
from slicewire.node_prep.core.entry import Asker, Stage
from slicewire.node_prep.core.record import Recalled, decode
from slicewire.node_prep.journal import Journal
from tests.unit.node_prep.builders import a_claim, a_plan, prepared


def uid(number: int) -> ClaimUID:
    return ClaimUID(f"claim-{number}")


async def reserve(journal: Journal, number: int) -> None:
    plan = a_plan(number, claim=a_claim(uid(number)))
    reserved = journal.checkpoint.with_reserved(plan, Asker.BUS, TraceParent(""))
    await journal.record(uid(number), reserved)


def on_disk(path: Path) -> Checkpoint:
    found = decode(path.read_bytes())
    assert isinstance(found, Recalled)
    return found.checkpoint


async def test_what_is_recorded_is_on_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.json"
    journal = Journal(path)
    await reserve(journal, 0)
    assert on_disk(path) == journal.checkpoint
    assert list(journal.checkpoint.entries) == ["claim-0"]


async def test_the_next_process_recalls_it(tmp_path: Path) -> None:
    first, second = Journal(tmp_path / "checkpoint.json"), Journal(tmp_path / "checkpoint.json")
    await reserve(first, 0)
    await second.recall()
    assert second.checkpoint == first.checkpoint


class CountingJournal(Journal):
    """Counts how often it writes."""

    writes = 0

    async def _write(self) -> None:
        self.writes += 1
        await super()._write()


async def test_many_changes_at_once_are_all_kept_by_few_writes(tmp_path: Path) -> None:
    """The first is being written when the others come; they share the second write."""
    path = tmp_path / "checkpoint.json"
    journal = CountingJournal(path)
    async with asyncio.TaskGroup() as tasks:
        for number in range(20):
            tasks.create_task(reserve(journal, number))
    assert journal.writes == 2
    assert on_disk(path) == journal.checkpoint
    assert len(journal.checkpoint.entries) == 20


async def test_a_change_counts_before_it_is_on_the_disk(tmp_path: Path) -> None:
    """Two claims for one device are told apart without waiting for the disk."""
    journal = Journal(tmp_path / "checkpoint.json")
    writing = asyncio.ensure_future(reserve(journal, 0))
    await asyncio.sleep(0)
    assert journal.checkpoint.entry(uid(0)) is not None
    await writing


async def test_what_the_disk_refuses_is_as_if_never_asked(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.json"
    journal = Journal(path)
    await reserve(journal, 0)
    before = journal.checkpoint
    path.unlink()
    path.mkdir()
    with pytest.raises(files.DiskFault):
        await reserve(journal, 1)
    with pytest.raises(files.DiskFault):
        await journal.record(uid(0), journal.checkpoint.with_undoing(uid(0)))
    assert journal.checkpoint == before
    path.rmdir()
    await reserve(journal, 2)
    assert on_disk(path) == journal.checkpoint
    assert list(journal.checkpoint.entries) == ["claim-0", "claim-2"]


async def test_what_is_only_noted_is_on_the_disk_with_the_next_write(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.json"
    journal = Journal(path)
    await reserve(journal, 0)
    journal.note(journal.checkpoint.with_undoing(uid(0)))
    had_news = journal.has_news
    assert on_disk(path) != journal.checkpoint
    await reserve(journal, 1)
    assert (had_news, journal.has_news) == (True, False)
    assert on_disk(path) == journal.checkpoint


async def test_what_could_not_be_kept_is_as_it_was_last_kept(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.json"
    journal = Journal(path)
    await reserve(journal, 0)
    kept = journal.checkpoint
    journal.note(journal.checkpoint.with_undoing(uid(0)))
    path.unlink()
    path.mkdir()
    with pytest.raises(files.DiskFault):
        await journal.record(uid(0), journal.checkpoint.without(uid(0)))
    assert journal.checkpoint == kept


async def test_after_another_boot_nothing_that_a_reboot_takes_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.json"
    first = Journal(path, "one boot")
    await reserve(first, 0)
    await first.record(uid(0), prepared(first.checkpoint, uid(0)))
    same, other = Journal(path, "one boot"), Journal(path, "another boot")
    await same.recall()
    assert same.checkpoint == first.checkpoint
    await other.recall()
    stages = [progress.stage for _, progress in other.checkpoint.entries[uid(0)].steps()]
    assert stages == [Stage.UNTOUCHED, Stage.DONE]


async def test_a_checkpoint_that_cannot_be_read_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.json"
    path.write_bytes(b"{")
    journal = Journal(path)
    await journal.recall()
    assert journal.checkpoint == Checkpoint()
    assert files.names(tmp_path) == ("checkpoint.json.corrupt-1",)
