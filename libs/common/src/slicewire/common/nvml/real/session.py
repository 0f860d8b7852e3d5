"""One session with the library for all threads, opened anew when it failed.

A driver may come, go or be upgraded while we run, so the library is loaded again with every session,
and a session ends only when nobody is inside a call.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pynvml

from slicewire.common.nvml.port import Closed
from slicewire.common.nvml.real.asking import ask

_LIBRARY = "libnvidia-ml.so.1"
_FOLDERS = ("usr/lib64", "usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "lib64", "lib")
"""Where a driver installed under a root of its own (a container's mount, say) puts it."""


class Session:
    """`before_end` is called with nobody else inside, while the library can still be asked."""

    def __init__(self, library: str, driver_root: Path, before_end: Callable[[], None]) -> None:
        self._library = library
        self._driver_root = driver_root
        self._before_end = before_end
        self._turn = threading.Condition()
        self._inside = 0
        self._ending = 0
        self._open = False
        self._closed = False

    @property
    def library(self) -> str:
        """What the loader is asked for: a path, or the name alone."""
        return self._library or _found_under(self._driver_root)

    @contextmanager
    def entered(self, *, begin: bool = True) -> Iterator[bool]:
        """True: the library may be called; False where no session is open and none was to be begun.

        Raises `Closed`; `Failed` or `OSError` where there is no driver.
        """
        with self._turn:
            self._turn.wait_for(lambda: not self._ending)
            if self._closed:
                raise Closed
            if begin and not self._open:
                self._begin()
            self._inside += 1
        try:
            yield self._open
        finally:
            with self._turn:
                self._inside -= 1
                self._turn.notify_all()

    def end(self) -> None:
        with self._turn:
            self._ending += 1
            self._turn.wait_for(lambda: not self._inside)
            if self._open:
                self._open = False
                self._before_end()
                with suppress(pynvml.NVMLError):  # a driver that went has nothing left to shut down
                    pynvml.nvmlShutdown()
            self._ending -= 1
            self._turn.notify_all()

    def close(self) -> None:
        """For good."""
        with self._turn:
            self._closed = True
        self.end()

    def _begin(self) -> None:
        # pynvml only knows the loader's own search. A library of our choice goes where it would
        # put it; what it remembers belongs to the library before.
        pynvml.nvmlLib = ctypes.CDLL(self.library)
        pynvml._nvmlGetFunctionPointer_cache.clear()  # noqa: SLF001
        ask("NVML", pynvml.nvmlInitWithFlags, pynvml.NVML_INIT_FLAG_NO_GPUS)
        self._open = True


def _found_under(driver_root: Path) -> str:
    """The library there; by its name alone, for the loader to find, where there is none."""
    if driver_root != Path("/"):
        for folder in _FOLDERS:
            if (library := driver_root / folder / _LIBRARY).exists():
                return str(library)
    return _LIBRARY
