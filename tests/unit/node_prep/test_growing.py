"""A file that grows by lines is what was written to it, and nobody else's file is written to."""

from __future__ import annotations

import resource
import signal
from pathlib import Path

import pytest

from slicewire.node_prep.files import DiskFault
from slicewire.node_prep.growing import GrowingFile

MODE = 0o600
OPEN = Path("/proc/self/fd")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lines"


@pytest.fixture
def file(path: Path) -> GrowingFile:
    growing = GrowingFile(path, MODE, longest=20)
    growing.replace(b"one")
    return growing


def test_a_file_that_was_not_begun_cannot_grow(path: Path) -> None:
    path.write_bytes(b"somebody's")
    assert not GrowingFile(path, MODE).may_grow()


def test_lines_are_added_to_the_same_file(path: Path, file: GrowingFile) -> None:
    before = path.stat().st_ino
    assert file.may_grow()
    file.add(b"two")
    file.keep()
    assert path.read_bytes() == b"one\ntwo\n"
    assert path.stat().st_ino == before
    assert path.stat().st_mode & 0o777 == MODE


def test_one_that_is_too_long_is_to_be_replaced(path: Path, file: GrowingFile) -> None:
    file.add(b"a line of some length")
    assert not file.may_grow()
    file.replace(b"short")
    assert file.may_grow()
    assert path.read_bytes() == b"short\n"


def test_one_that_was_taken_away_is_to_be_replaced(path: Path, file: GrowingFile) -> None:
    path.unlink()
    assert not file.may_grow()


def test_one_that_was_replaced_by_another_hand_is_to_be_replaced(path: Path, file: GrowingFile) -> None:
    beside = path.with_name("beside")
    beside.write_bytes(path.read_bytes())
    beside.replace(path)
    assert not file.may_grow()


def test_one_that_another_hand_has_written_to_is_to_be_replaced(path: Path, file: GrowingFile) -> None:
    with path.open("ab") as theirs:
        theirs.write(b"theirs")
    assert not file.may_grow()


def test_a_link_in_its_place_is_not_followed(path: Path, file: GrowingFile) -> None:
    elsewhere = path.with_name("elsewhere")
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    assert not file.may_grow()
    with pytest.raises(DiskFault, match="it is a link"):
        file.replace(b"two")
    assert elsewhere.read_bytes() == b"one\n"


def test_a_line_that_the_disk_takes_half_of_is_taken_back(path: Path, file: GrowingFile) -> None:
    before, ignored = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6, before[1]))
    try:
        with pytest.raises(DiskFault, match=f"writing {path}: File too large"):
            file.add(b"second")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert path.read_bytes() == b"one\n"
    assert not file.may_grow()


def test_it_is_open_only_while_it_is_written(file: GrowingFile) -> None:
    before = len(list(OPEN.iterdir()))
    file.add(b"two")
    file.keep()
    assert len(list(OPEN.iterdir())) == before
