"""The names outlive discovery and the machine, and their file never costs the pool."""

from __future__ import annotations

import os
from pathlib import Path

from slicewire.discovery.core.names import Names, Sighting
from slicewire.discovery.namesfile import NamesFile

ONE = Names().with_seen([Sighting(pci_bus_id="0000:1a:00.0", uuid="GPU-0", minor=5, scan=0)])


def test_what_is_kept_is_known_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "state" / "names.json"
    file = NamesFile(path)
    assert file.names() == Names()
    assert file.keep(ONE) == ()
    assert NamesFile(path).names() == ONE
    assert [found.name for found in path.parent.iterdir()] == ["names.json"]


def test_without_a_file_names_are_kept_for_now() -> None:
    file = NamesFile()
    assert file.keep(ONE) == ()
    assert file.names() == ONE


def test_what_has_not_changed_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "names.json"
    file = NamesFile(path)
    file.keep(ONE)
    path.unlink()
    assert file.keep(ONE) == ()
    assert not path.exists()


def test_a_dry_run_reads_and_does_not_write(tmp_path: Path) -> None:
    path = tmp_path / "names.json"
    NamesFile(path).keep(ONE)
    file = NamesFile(path, writable=False)
    assert file.names() == ONE
    assert file.keep(Names()) == ()
    assert NamesFile(path).names() == ONE


def test_a_file_that_is_not_ours_is_said_and_then_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "names.json"
    path.write_text("{")
    spoilt = NamesFile(path, writable=False)
    assert spoilt.names() == Names()
    (said,) = spoilt.keep(ONE)
    assert said.what == f"names file {path}"
    assert "cannot be read" in said.reason
    assert NamesFile(path).keep(ONE) == ()
    assert NamesFile(path).names() == ONE


def test_a_pipe_in_its_place_is_not_waited_for_and_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "names.json"
    os.mkfifo(path)
    file = NamesFile(path)
    assert file.names() == Names()
    assert file.keep(ONE) == ()
    assert NamesFile(path).names() == ONE


def test_a_file_that_cannot_be_written_is_said_until_it_can(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.write_text("in the way")
    file = NamesFile(folder / "names.json")
    (said,) = file.keep(ONE)
    assert "names may change at the next start" in said.reason
    assert file.names() == ONE
    folder.unlink()
    assert file.keep(ONE) == ()
    assert NamesFile(folder / "names.json").names() == ONE
