"""The folder of the bus' credentials: each file whole or not there, for its owner alone."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


class BadFolder(Exception):
    """The folder cannot be used; the reason names the file."""


class Folder:
    """Below `authority/` what stays with whoever runs the bus, in the others what others get."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def ours(self) -> Iterator[None]:
        """While open, no other command works in it. Raises `BadFolder`."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self.path / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise BadFolder(f"{self.path}: {error.strerror}") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for left in self.path.glob("**/.*.new"):  # of one that was killed
                left.unlink()
            yield
        finally:
            os.close(lock)

    def read(self, name: str) -> bytes | None:
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BadFolder(f"{self.path / name}: {error.strerror}") from None

    def write(self, name: str, content: bytes) -> None:
        """As a whole, or not at all, whenever we are killed."""
        target = self.path / name
        draft = target.with_name(f".{target.name}.new")
        try:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(target)
        except OSError as error:
            raise BadFolder(f"{target}: {error.strerror}") from None

    def kept(self, name: str, make: Callable[[], bytes]) -> bytes:
        """What is there, else what is made now."""
        found = self.read(name)
        if found is None:
            found = make()
            self.write(name, found)
        return found

    def remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)
