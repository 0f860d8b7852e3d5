"""A small file, when whoever writes it is killed in the middle or the disk refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from slicewire.discovery import smallfile


def test_what_a_killed_writer_left_is_written_over(tmp_path: Path) -> None:
    file, half = tmp_path / "health.json", tmp_path / ".health.json.new"
    file.write_bytes(b"old")
    half.write_bytes(b"much longer than what is written next, and")
    smallfile.write(file, b"new")
    assert file.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [file]


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "health.json"
    folder.mkdir()
    with pytest.raises(IsADirectoryError):
        smallfile.write(folder, b"new")
    assert list(tmp_path.iterdir()) == [folder]
