"""The rooms of many simulated nodes in one process: one watch of all their folders, one thread for it.

A node's files lie where those of a node alone would: `<folder>/<node>/gpus.json` and what is beside it.
"""

from __future__ import annotations

import os
import select
import struct
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from slicewire.common.nvml.simulated import watching
from slicewire.common.nvml.simulated.room import SimulatedNvml
from slicewire.common.nvml.simulated.state import new_node

STATE_FILE = "gpus.json"
_EVENT = struct.Struct("iIII")
"""Of inotify: watch, mask, cookie, length of the name that follows."""
_OVERFLOW = -1
"""The watch of an event that stands for all that there was no room for."""
_MOST_BYTES = 65536
_SELDOM_SECONDS = 1.0
"""How often everybody looks where the system has no inotify."""


class NodeWatch:
    """`Watch` of one node's folder, told by `FleetWatch`."""

    def __init__(self) -> None:
        self._changed = threading.Event()
        self._is_over = False

    def wait(self, seconds: float) -> None:
        self._changed.wait(max(0.0, seconds))
        if not self._is_over:
            self._changed.clear()

    def wake(self) -> None:
        self._is_over = True
        self._changed.set()

    def tell(self) -> None:
        """Something in the folder changed."""
        self._changed.set()


class FleetWatch:
    """Of the folders of many nodes, through one inotify descriptor."""

    def __init__(self) -> None:
        self._number = watching.begin()
        self._told_as: dict[int, NodeWatch] = {}
        self._unheard: list[NodeWatch] = []
        """Those whose folder cannot be watched: they look often."""
        self._woken, self._waker = os.pipe()
        self._thread = threading.Thread(target=self._listen, name="fleet-watch", daemon=True)

    def of(self, folder: Path) -> NodeWatch:
        """Before `listening` only. The folder must be there."""
        watch = NodeWatch()
        told_as = None if self._number is None else watching.add(self._number, folder)
        if told_as is None:
            self._unheard.append(watch)
        else:
            self._told_as[told_as] = watch
        return watch

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Nodes are told while this is open."""
        self._thread.start()
        try:
            yield
        finally:
            os.write(self._waker, b"!")
            self._thread.join()
            for number in (self._woken, self._waker, self._number):
                if number is not None:
                    os.close(number)

    def _listen(self) -> None:
        watched = select.poll()
        watched.register(self._woken, select.POLLIN)
        if self._number is not None:
            watched.register(self._number, select.POLLIN)
        pause = _SELDOM_SECONDS * 1000 if self._unheard else None
        while True:
            ready = watched.poll(pause)
            if (self._woken, select.POLLIN) in ready:
                return
            for watch in (*self._unheard, *self._heard()):
                watch.tell()

    def _heard(self) -> set[NodeWatch]:
        if self._number is None:
            return set()
        with suppress(BlockingIOError):
            numbers = set(_told(os.read(self._number, _MOST_BYTES)))
            if _OVERFLOW in numbers:
                return set(self._told_as.values())
            return {self._told_as[number] for number in numbers if number in self._told_as}
        return set()


def _told(data: bytes) -> Iterator[int]:
    at = 0
    while at < len(data):
        number, _, _, length = _EVENT.unpack_from(data, at)
        yield number
        at += _EVENT.size + length


@contextmanager
def rooms(folder: Path, nodes: Iterable[str], profile: str, gpus: int) -> Iterator[dict[str, SimulatedNvml]]:
    """The room of each node, made where it is not there yet. Raises `BadState`, `OSError`."""
    with ExitStack() as opened:
        watch = FleetWatch()
        found = {}
        for node in nodes:
            newborn = new_node(node, profile, gpus)
            path = folder / node / STATE_FILE
            path.parent.mkdir(parents=True, exist_ok=True)
            found[node] = SimulatedNvml(path, newborn, watch=watch.of(path.parent))
        opened.enter_context(watch.listening())
        for room in found.values():
            opened.enter_context(closing(room))
        yield found
