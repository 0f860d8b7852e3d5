"""The door to the disk: whole files, written so that a reader sees the old one or the new one.

It writes files and never through a link: where a link stands in a file's place, somebody wants what we
write elsewhere. All of it blocks: call it in a thread. It knows nothing of what is in a file.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path

_PREFIX = ".slicewire-"
_SUFFIX = ".tmp"
"""Container runtimes read `.json` and `.yaml` only, so they never see a file half written."""
READABLE_BY_ALL = 0o644
"""For what others than us read: container runtimes, containers, programs of the driver."""
_SHARED = 0o1777
_NOT_THERE = (FileNotFoundError, NotADirectoryError)


class Kept(Enum):
    """How well a file is kept that was written; all of them outlive the process."""

    UNTIL_A_POWER_CUT = "made again after one"
    OLD_OR_NEW = "a power cut may bring the old file back, whole"
    THROUGH_A_POWER_CUT = "still there after one"


class DiskFault(Exception):
    """The disk refused; the message names the path and the reason."""


def read(path: Path) -> bytes | None:
    """None where there is no such file. Raises `DiskFault`."""
    with _mapped("reading", path):
        try:
            return path.read_bytes()
        except _NOT_THERE:
            return None


def write(path: Path, data: bytes, mode: int, kept: Kept = Kept.THROUGH_A_POWER_CUT) -> None:
    """All of it or nothing, for who reads it. Raises `DiskFault`."""
    make(path.parent)
    _refuse_a_link(path)
    with _mapped("writing", path):
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=_PREFIX, suffix=_SUFFIX)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fchmod(file.fileno(), mode)
                if kept is not Kept.UNTIL_A_POWER_CUT:
                    os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        if kept is Kept.THROUGH_A_POWER_CUT:
            _sync(path.parent)


def write_if_changed(path: Path, data: bytes, mode: int, kept: Kept = Kept.THROUGH_A_POWER_CUT) -> None:
    """What is there already, and may be read by the same people, stays. Raises `DiskFault`."""
    _refuse_a_link(path)
    if read(path) != data or _mode(path) != mode:
        write(path, data, mode, kept)


def delete(path: Path, kept: Kept = Kept.THROUGH_A_POWER_CUT) -> None:
    """A file that is not there is deleted already. Raises `DiskFault`."""
    with _mapped("deleting", path), suppress(*_NOT_THERE):
        path.unlink()
        if kept is Kept.THROUGH_A_POWER_CUT:
            _sync(path.parent)


def delete_all(folder: Path) -> None:
    """A folder with all that is in it; links in it are deleted, not followed. Raises `DiskFault`."""
    with _mapped("deleting", folder), suppress(*_NOT_THERE):
        shutil.rmtree(folder)
        _sync(folder.parent)


def clear(folder: Path) -> None:
    """What is in it goes; it stays the same folder for those who have it. Raises `DiskFault`."""
    with _mapped("emptying", folder):
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def link(path: Path, target: Path) -> None:
    """Where nothing is yet. Raises `DiskFault`."""
    with _mapped("linking", path):
        path.symlink_to(target)


def open_to_all(folder: Path) -> None:
    """All may write in it, and none remove what is another's. Raises `DiskFault`."""
    with _mapped("opening to all", folder):
        folder.chmod(_SHARED)


def names(folder: Path) -> tuple[str, ...]:
    """The files in it, in order; none where it does not exist. Raises `DiskFault`."""
    with _mapped("listing", folder):
        return tuple(sorted(path.name for path in folder.iterdir())) if folder.is_dir() else ()


def set_aside(path: Path) -> Path:
    """Out of the way, under the first free name after it, for a person to look at. Raises `DiskFault`."""
    with _mapped("setting aside", path):
        number = 1
        while (aside := path.with_name(f"{path.name}.corrupt-{number}")).exists():
            number += 1
        path.rename(aside)
        _sync(path.parent)
        return aside


def make(folder: Path) -> None:
    """Raises `DiskFault`."""
    with _mapped("making", folder):
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)


def sweep(folder: Path) -> None:
    """Remove what a process that was killed while writing has left. Raises `DiskFault`."""
    for name in names(folder):
        if name.startswith(_PREFIX) and name.endswith(_SUFFIX):
            delete(folder / name)


def _refuse_a_link(path: Path) -> None:
    with _mapped("writing", path):
        if path.is_symlink():
            raise DiskFault(f"writing {path}: it is a link to {path.readlink()}; remove the link")


def _mode(path: Path) -> int:
    with _mapped("reading", path):
        return stat.S_IMODE(path.stat().st_mode)


def _sync(folder: Path) -> None:
    """A rename is on the disk only when its directory is."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _mapped(attempt: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DiskFault(f"{attempt} {path}: {error.strerror or error}") from error
