"""The door to the disk: whole files, written so that a reader sees the old one or the new one.

It writes files and never through a link: where a link stands in a file's place, somebody wants what we
write elsewhere. All of it blocks: call it in a thread. It knows nothing of what is in a file.
"""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
import stat
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
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OURS, _NUMBERS = secrets.token_hex(8), itertools.count()
"""What tells the files that we write now from those of other processes, and from each other."""
_NOT_THERE = (FileNotFoundError, NotADirectoryError)


class Kept(Enum):
    """How well a file is kept that was written; all of them outlive the process."""

    UNTIL_A_POWER_CUT = "made again after one"
    OLD_OR_NEW = "a power cut may bring back what was there before, whole"
    THROUGH_A_POWER_CUT = "still there after one"


class DiskFault(Exception):
    """The disk refused; the message names the path and the reason."""


def read(path: Path) -> bytes | None:
    """None where there is no such file. What is no file, or a link, is not ours, and a pipe would be waited
    for. Raises `DiskFault`."""
    with mapped("reading", path):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        except _NOT_THERE:
            return None
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise DiskFault(f"reading {path}: it is not a file; remove it")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read()
        finally:
            os.close(descriptor)


def write(path: Path, data: bytes, mode: int, kept: Kept = Kept.THROUGH_A_POWER_CUT) -> None:
    """All of it or nothing, for who reads it. Raises `DiskFault`."""
    make(path.parent)
    _refuse_a_link(path)
    with mapped("writing", path):
        temporary = f"{path.parent}/{_PREFIX}{_OURS}-{next(_NUMBERS)}{_SUFFIX}"
        descriptor = os.open(temporary, _NEW, mode)
        try:
            with os.fdopen(descriptor, "wb", buffering=0) as file:
                os.fchmod(descriptor, mode)  # whatever the umask says
                write_all(descriptor, data)
                if kept is not Kept.UNTIL_A_POWER_CUT:
                    os.fsync(file.fileno())
            os.replace(temporary, path)  # noqa: PTH105 - a Path costs more than the call
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        if kept is Kept.THROUGH_A_POWER_CUT:
            _sync(path.parent)


def write_all(descriptor: int, data: bytes) -> None:
    """Raises `OSError`; some of it may be written then."""
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def write_if_changed(path: Path, data: bytes, mode: int, kept: Kept = Kept.THROUGH_A_POWER_CUT) -> None:
    """What is there already, and may be read by the same people, stays. Raises `DiskFault`."""
    _refuse_a_link(path)
    if read(path) != data or _mode(path) != mode:
        write(path, data, mode, kept)


def delete(path: Path, kept: Kept = Kept.THROUGH_A_POWER_CUT) -> None:
    """A file that is not there is deleted already. Raises `DiskFault`."""
    with mapped("deleting", path), suppress(*_NOT_THERE):
        path.unlink()
        if kept is Kept.THROUGH_A_POWER_CUT:
            _sync(path.parent)


def delete_all(folder: Path) -> None:
    """A folder with all that is in it; links in it are deleted, not followed. Raises `DiskFault`."""
    with mapped("deleting", folder), suppress(*_NOT_THERE):
        shutil.rmtree(folder)
        _sync(folder.parent)


def clear(folder: Path) -> None:
    """What is in it goes; it stays the same folder for those who have it. Raises `DiskFault`."""
    with mapped("emptying", folder):
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def link(path: Path, target: Path) -> None:
    """Where nothing is yet. Raises `DiskFault`."""
    with mapped("linking", path):
        path.symlink_to(target)


def open_to_all(folder: Path) -> None:
    """All may write in it, and none remove what is another's. Raises `DiskFault`."""
    with mapped("opening to all", folder):
        folder.chmod(_SHARED)


def names(folder: Path) -> tuple[str, ...]:
    """The files in it, in order; none where it does not exist. Raises `DiskFault`."""
    with mapped("listing", folder):
        return tuple(sorted(path.name for path in folder.iterdir())) if folder.is_dir() else ()


def set_aside(path: Path, why: str = "corrupt") -> Path:
    """Out of the way, under the first free name after it, for a person to look at. Raises `DiskFault`."""
    with mapped("setting aside", path):
        number = 1
        while (aside := path.with_name(f"{path.name}.{why}-{number}")).exists():
            number += 1
        path.rename(aside)
        _sync(path.parent)
        return aside


def make(folder: Path) -> None:
    """With the folders that it is in, and whatever the umask: none but us may write in them. Raises
    `DiskFault`."""
    if os.path.isdir(folder):  # noqa: PTH112 - a Path costs more than the question
        return
    with mapped("making", folder):
        missing = [one for one in folder.parents if not os.path.lexists(one)]
        for one in (*reversed(missing), folder):
            one.mkdir(mode=0o755, exist_ok=True)


def refuse_links(base: Path, path: Path) -> None:
    """No folder from below `base` down to `path` is a link: what is written there would go elsewhere. `base`
    itself is the administrator's. Raises `DiskFault`."""
    for folder in (path, *path.parents):
        if folder == base:
            return
        _refuse_a_link(folder)


def sweep(folder: Path) -> None:
    """Remove what a process that was killed while writing has left. Raises `DiskFault`."""
    for name in names(folder):
        if name.startswith(_PREFIX) and name.endswith(_SUFFIX):
            delete(folder / name)


def _refuse_a_link(path: Path) -> None:
    with mapped("writing", path):
        if path.is_symlink():
            raise DiskFault(f"writing {path}: it is a link to {path.readlink()}; remove the link")


def _mode(path: Path) -> int:
    with mapped("reading", path):
        return stat.S_IMODE(path.stat().st_mode)


def _sync(folder: Path) -> None:
    """A rename is on the disk only when its directory is."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def mapped(attempt: str, path: Path) -> Iterator[None]:
    """Raises `DiskFault` for an `OSError`."""
    try:
        yield
    except OSError as error:
        raise DiskFault(f"{attempt} {path}: {error.strerror or error}") from error
