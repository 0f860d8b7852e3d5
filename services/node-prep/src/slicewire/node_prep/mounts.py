"""The door to mounts: a folder in memory, and a program that has such a folder as its /dev/shm.

As a program it is `mounts.py <folder> <program> [argument ...]`, and imports the standard library only. All
of it blocks and raises `OSError`; `PermissionError` where this process may not mount.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_NOSUID, _NODEV, _NOEXEC, _BIND, _REC, _PRIVATE, _RELATIME = 2, 4, 8, 4096, 16384, 1 << 18, 1 << 21
_DETACH = 2
_NEW_MOUNT_NAMESPACE = 0x00020000
"""Numbers of mount(2), umount2(2) and unshare(2)."""
_SHM = b"/dev/shm"
_libc = ctypes.CDLL(None, use_errno=True)


def mount_memory(folder: Path, size: str) -> None:
    """An empty folder for all users, of at most this size."""
    flags = _NOSUID | _NODEV | _NOEXEC | _RELATIME
    _mount(b"tmpfs", os.fsencode(folder), b"tmpfs", flags, f"mode=1777,size={size}".encode())


def is_mounted(folder: Path) -> bool:
    return os.path.ismount(folder)


def unmount(folder: Path) -> None:
    """However often something was mounted there, and whoever still works in it."""
    while is_mounted(folder):
        _checked(_libc.umount2(os.fsencode(folder), _DETACH), folder)


def _mount(source: bytes, target: bytes, kind: bytes | None, flags: int, options: bytes | None) -> None:
    _checked(_libc.mount(source, target, kind, ctypes.c_ulong(flags), options), os.fsdecode(target))


def _checked(result: int, path: Path | str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(path))


def main() -> None:
    """Nobody else sees the mount, which ends with the program."""
    folder, *command = sys.argv[1:]
    _checked(_libc.unshare(_NEW_MOUNT_NAMESPACE), "/")
    _mount(b"none", b"/", None, _REC | _PRIVATE, None)
    _mount(os.fsencode(folder), _SHM, None, _BIND, None)
    os.execv(command[0], command)  # noqa: S606 - the program is the caller's


if __name__ == "__main__":
    main()
