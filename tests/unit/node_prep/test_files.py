"""The door to the disk."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from slicewire.node_prep import files


def test_a_file_is_replaced_whole_and_has_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.json"
    files.write(path, b"one", 0o600)
    files.write(path, b"two", 0o644)
    assert files.read(path) == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert files.names(path.parent) == ("file.json",)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.mkdir()
    with pytest.raises(files.DiskFault, match=f"writing {path}: Is a directory"):
        files.write(path, b"two", 0o644)
    assert files.names(tmp_path) == ("file.json",)


def test_what_is_the_same_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    files.write_if_changed(path, b"one", 0o644)
    before = path.stat().st_ino
    files.write_if_changed(path, b"one", 0o644)
    assert path.stat().st_ino == before
    files.write_if_changed(path, b"two", 0o644)
    assert files.read(path) == b"two"


def test_what_is_not_there_is_none_and_deleted_already(tmp_path: Path) -> None:
    missing = tmp_path / "missing.json"
    (tmp_path / "file").touch()
    for path in (missing, tmp_path / "file" / "below"):
        assert files.read(path) is None
        files.delete(path)
    assert files.names(missing) == ()


def test_deleting_twice_is_deleting_once(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    files.write(path, b"one", 0o644)
    files.delete(path)
    files.delete(path)
    assert not path.exists()


def test_what_is_set_aside_never_replaces_what_was_set_aside_before(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.json"
    for content in (b"one", b"two"):
        files.write(path, content, 0o600)
        files.set_aside(path)
    assert files.names(tmp_path) == ("checkpoint.json.corrupt-1", "checkpoint.json.corrupt-2")
    assert files.read(tmp_path / "checkpoint.json.corrupt-2") == b"two"


def test_only_our_own_leftovers_are_swept(tmp_path: Path) -> None:
    for name in (".slicewire-x.tmp", ".other-x.tmp", "slicewire-x.json"):
        (tmp_path / name).touch()
    files.sweep(tmp_path)
    assert files.names(tmp_path) == (".other-x.tmp", "slicewire-x.json")


def test_every_fault_names_the_attempt_the_path_and_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(files.DiskFault, match=f"making {file}/below: Not a directory"):
        files.write(file / "below" / "x", b"", 0o644)
    with pytest.raises(files.DiskFault, match=f"reading {tmp_path}: it is not a file"):
        files.read(tmp_path)
    with pytest.raises(files.DiskFault, match=f"deleting {tmp_path}: "):
        files.delete(tmp_path)


def test_nothing_is_written_through_a_link_nor_in_its_place(tmp_path: Path) -> None:
    """Who can put a link into the folder could else have any file written, or change ours unseen."""
    path, elsewhere = tmp_path / "file.json", tmp_path / "elsewhere"
    elsewhere.write_bytes(b"one")
    path.symlink_to(elsewhere)
    for write in (files.write, files.write_if_changed):
        with pytest.raises(files.DiskFault, match=f"writing {path}: it is a link to {elsewhere}"):
            write(path, b"one", 0o644)
    assert files.names(tmp_path) == ("elsewhere", "file.json")
    files.delete(path)
    assert elsewhere.read_bytes() == b"one"


def test_the_same_with_another_mode_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    files.write(path, b"one", 0o600)
    files.write_if_changed(path, b"one", 0o644)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_folder_goes_with_all_that_is_in_it_and_nothing_else(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    files.write(kept / "file", b"", 0o644)
    files.write(tmp_path / "gone" / "below" / "file", b"", 0o644)
    (tmp_path / "gone" / "link").symlink_to(kept)
    files.delete_all(tmp_path / "gone")
    files.delete_all(tmp_path / "gone")
    assert files.names(tmp_path) == ("kept",)
    assert files.names(kept) == ("file",)


def test_a_file_is_on_the_disk_before_it_has_its_name_and_its_name_before_we_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the system call itself can tell: a power cut is nothing a test can make."""
    done: list[str] = []

    def sync(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        done.append(f"{'folder' if is_folder else 'file'} {(tmp_path / 'file.json').exists()}")

    monkeypatch.setattr(os, "fsync", sync)
    files.write(tmp_path / "file.json", b"one", 0o644)
    assert done == ["file False", "folder True"]
