"""The checkpoint in memory and on disk stay one."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from slicewire.common.model import ClaimUID, TraceParent
from slicewire.node_prep import files
from slicewire.node_prep.core.checkpoint import Checkpoint
from slicewire.node_prep.core.entry import Asker, Stage
from slicewire.node_prep.core.record import Recalled, decode
from slicewire.node_prep.files import Kept
from slicewire.node_prep.journal import Change, Journal
from tests.unit.node_prep.builders import a_claim, a_plan, prepared

SOON_SECONDS = 10.0


def uid(number: int) -> ClaimUID:
    return ClaimUID(f"claim-{number}")


def reserve(journal: Journal, number: int) -> None:
    plan = a_plan(number, claim=a_claim(uid(number)))
    journal.record(uid(number), lambda now: now.with_reserved(plan, Asker.BUS, TraceParent("")))


def on_disk(path: Path) -> Checkpoint:
    found = decode(path.read_bytes())
    assert isinstance(found, Recalled)
    return found.checkpoint


def test_what_is_recorded_is_on_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.json"
    journal = Journal(path)
    reserve(journal, 0)
    assert on_disk(path) == journal.checkpoint
    assert list(journal.checkpoint.entries) == ["claim-0"]


def test_the_next_process_recalls_it(tmp_path: Path) -> None:
    first, second = Journal(tmp_path / "checkpoint.json"), Journal(tmp_path / "checkpoint.json")
    reserve(first, 0)
    second.recall()
    assert second.checkpoint == first.checkpoint


class SlowJournal(Journal):
    """It writes when it is told to."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.may_write = threading.Event()
        self.is_about_to_write, self.changes = threading.Semaphore(0), threading.Semaphore(0)
        self.writes = 0

    def note(self, change: Change) -> None:
        super().note(change)
        self.changes.release()

    def _write(self, kept: Kept) -> None:
        self.writes += 1
        self.is_about_to_write.release()
        assert self.may_write.wait(SOON_SECONDS)
        super()._write(kept)


def test_many_changes_at_once_are_all_kept_by_one_write(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.json"
    journal = SlowJournal(path)
    with ThreadPoolExecutor(20) as threads:
        written = [threads.submit(reserve, journal, number) for number in range(20)]
        for _ in written:
            assert journal.changes.acquire(timeout=SOON_SECONDS)
        journal.may_write.set()
        for one in written:
            one.result()
    assert journal.writes == 1
    assert on_disk(path) == journal.checkpoint
    assert len(journal.checkpoint.entries) == 20


def test_what_a_power_cut_may_take_is_written_again_where_it_must_last(tmp_path: Path) -> None:
    journal = SlowJournal(tmp_path / "checkpoint.json")
    journal.may_write.set()
    reserve(journal, 0)
    journal.writes = 0
    journal.note(lambda now: now.with_undoing(uid(0)))
    for kept in (Kept.OLD_OR_NEW, Kept.OLD_OR_NEW, Kept.THROUGH_A_POWER_CUT, Kept.OLD_OR_NEW):
        journal.flush(kept)
    assert journal.writes == 2
    assert on_disk(tmp_path / "checkpoint.json") == journal.checkpoint


def test_each_write_adds_a_line_with_what_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.json"
    journal = Journal(path)
    for number in range(3):
        reserve(journal, number)
    journal.record(uid(0), lambda now: now.with_undoing(uid(0)))
    journal.record(uid(0), lambda now: now.without(uid(0)))
    lines = [json.loads(line)["claims"] for line in path.read_bytes().splitlines()]
    assert [list(claims) for claims in lines] == [[uid(0)], [uid(1)], [uid(2)], [uid(0)], [uid(0)]]
    assert lines[-1] == {uid(0): None}
    assert on_disk(path) == journal.checkpoint
    assert list(journal.checkpoint.entries) == [uid(1), uid(2)]


def test_what_another_has_written_meanwhile_is_recalled_and_then_replaced(tmp_path: Path) -> None:
    """Two instances take turns: whoever has one reads what the other has left."""
    path = tmp_path / "checkpoint.json"
    one, other = Journal(path), Journal(path)
    reserve(one, 0)
    other.recall()
    reserve(other, 1)
    one.recall()
    reserve(one, 2)
    reserve(one, 3)
    assert on_disk(path) == one.checkpoint
    assert list(one.checkpoint.entries) == [uid(0), uid(1), uid(2), uid(3)]


@pytest.mark.parametrize("torn", [b'{"version":2,"claims":{"claim-0":', b"\x00" * 64], ids=["half", "zeros"])
def test_a_line_half_written_counts_for_nothing_and_is_not_added_to(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "checkpoint.json"
    first, second = Journal(path), Journal(path)
    reserve(first, 0)
    with path.open("ab") as file:
        file.write(torn)
    second.recall()
    assert second.checkpoint == first.checkpoint
    reserve(second, 1)
    assert on_disk(path) == second.checkpoint
    assert list(second.checkpoint.entries) == [uid(0), uid(1)]


def test_a_change_counts_before_it_is_on_the_disk(tmp_path: Path) -> None:
    """Two claims for one device are told apart without waiting for the disk."""
    path = tmp_path / "checkpoint.json"
    journal = SlowJournal(path)
    with ThreadPoolExecutor(1) as threads:
        writing = threads.submit(reserve, journal, 0)
        assert journal.is_about_to_write.acquire(timeout=SOON_SECONDS)
        assert journal.checkpoint.entry(uid(0)) is not None
        assert not path.exists()
        journal.may_write.set()
        writing.result()


def test_what_the_disk_refuses_is_as_if_never_asked(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.json"
    journal = Journal(path)
    reserve(journal, 0)
    before = journal.checkpoint
    path.unlink()
    path.mkdir()
    with pytest.raises(files.DiskFault):
        reserve(journal, 1)
    with pytest.raises(files.DiskFault):
        journal.record(uid(0), lambda now: now.with_undoing(uid(0)))
    assert journal.checkpoint == before
    path.rmdir()
    reserve(journal, 2)
    assert on_disk(path) == journal.checkpoint
    assert list(journal.checkpoint.entries) == ["claim-0", "claim-2"]


def test_what_is_only_noted_is_on_the_disk_with_the_next_write(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.json"
    journal = Journal(path)
    reserve(journal, 0)
    journal.note(lambda now: now.with_undoing(uid(0)))
    had_news = journal.has_news
    assert on_disk(path) != journal.checkpoint
    reserve(journal, 1)
    assert (had_news, journal.has_news) == (True, False)
    assert on_disk(path) == journal.checkpoint


def test_what_could_not_be_kept_is_as_it_was_last_kept(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.json"
    journal = Journal(path)
    reserve(journal, 0)
    kept = journal.checkpoint
    journal.note(lambda now: now.with_undoing(uid(0)))
    path.unlink()
    path.mkdir()
    with pytest.raises(files.DiskFault):
        journal.record(uid(0), lambda now: now.without(uid(0)))
    assert journal.checkpoint == kept


def test_after_another_boot_nothing_that_a_reboot_takes_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.json"
    first = Journal(path, "one boot")
    reserve(first, 0)
    first.record(uid(0), lambda now: prepared(now, uid(0)))
    same, other = Journal(path, "one boot"), Journal(path, "another boot")
    same.recall()
    assert same.checkpoint == first.checkpoint
    other.recall()
    stages = [progress.stage for _, progress in other.checkpoint.entries[uid(0)].steps()]
    assert stages == [Stage.UNTOUCHED, Stage.DONE]


def test_a_checkpoint_that_cannot_be_read_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.json"
    path.write_bytes(b"{")
    journal = Journal(path)
    journal.recall()
    assert journal.checkpoint == Checkpoint()
    assert files.names(tmp_path) == ("checkpoint.json.corrupt-1",)
