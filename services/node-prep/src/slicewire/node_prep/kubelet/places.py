"""Where the sockets are, and what is done about those that others left there.

Two instances of the driver may live at once while one replaces the other: each has sockets under its
own name, the kubelet asks the one that came last, and the other goes on until it ends.
"""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec

from slicewire.common.logs import Log
from slicewire.common.model import DriverName
from slicewire.common.settings import BadSettings

_LONGEST = 107
"""Bytes; `sun_path` of Linux has 108 with the final zero."""
_SHORT = 12
"""Hexadecimal digits in place of an instance's name that is too long: 2^48 of them are enough for two."""
_FOLDER_MODE = 0o750
_log = Log("node-prep.kubelet")


class Sockets(msgspec.Struct, frozen=True):
    """Where the two sockets are. The kubelet must find the same paths on the host."""

    dra: Path
    registration: Path

    def exist(self) -> bool:
        """False when somebody took them away: the kubelet cannot find us then."""
        return self.dra.is_socket() and self.registration.is_socket()


def sockets(driver: DriverName, plugin_dir: Path, registry_dir: Path, instance: str = "") -> Sockets:
    """Raises `BadSettings` for a path that no socket can have."""
    return Sockets(
        _named(plugin_dir, "dra{}.sock", instance, "PLUGIN_DIR"),
        _named(registry_dir, f"{driver}{{}}-reg.sock", instance, "REGISTRY_DIR"),
    )


def _named(folder: Path, pattern: str, instance: str, setting: str) -> Path:
    if not instance:
        return _bounded(folder / pattern.format(""), setting)
    path = folder / pattern.format(f"-{instance}")
    if _length(path) <= _LONGEST:
        return path
    short = hashlib.sha256(instance.encode()).hexdigest()[:_SHORT]
    return _bounded(folder / pattern.format(f"-{short}"), setting)


def _bounded(path: Path, setting: str) -> Path:
    if _length(path) > _LONGEST:
        raise BadSettings(
            f"SLICEWIRE_NODE_PREP_{setting}={str(path.parent)!r}: the socket {path} would have a path of"
            f" {_length(path)} bytes; Linux allows {_LONGEST}"
        )
    return path


def _length(path: Path) -> int:
    return len(os.fsencode(path))


def make_way(driver: DriverName, places: Sockets) -> None:
    """For our sockets, and out of the kubelet's: it asks in vain where nobody is left to answer. What is
    no socket is somebody's. Raises `BadSettings`."""
    for path in (places.dra, places.registration):
        try:
            path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            _check(path)
        except OSError as error:
            raise BadSettings(f"no socket can be made at {path}: {error.strerror}") from error
    for path in _left_behind(driver, places):
        path.unlink(missing_ok=True)
        _log.info("socket of an instance that has ended removed", path=path)


def _check(path: Path) -> None:
    if path.is_symlink():
        raise BadSettings(f"{path} is a link, and in the way of our socket: remove it")
    if path.is_socket():
        if _is_served(path):
            raise BadSettings(
                f"{path} is served by another process:"
                " give each instance a name of its own, SLICEWIRE_NODE_PREP_INSTANCE"
            )
    elif path.exists():
        raise BadSettings(f"{path} is in the way of our socket and is not a socket itself")


def _left_behind(driver: DriverName, places: Sockets) -> Iterator[Path]:
    for folder, pattern in (
        (places.dra.parent, "dra*.sock"),
        (places.registration.parent, f"{driver}*-reg.sock"),
    ):
        for path in sorted(folder.glob(pattern)):
            if path.is_socket() and not _is_served(path):
                yield path


def _is_served(path: Path) -> bool:
    """A full queue is somebody's, who is busy."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.setblocking(False)
        try:
            asking.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except BlockingIOError:
            return True
        return True
