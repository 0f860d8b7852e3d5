"""Wakes who looks: NVML's events, and what the kernel says of PCI devices and of the driver's module.

Many events are one waking. Refuses to say what the state is: whoever is woken looks.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from slicewire.common.logs import Log
from slicewire.common.nvml.facts import Event
from slicewire.common.nvml.port import Nvml

_KOBJECT_UEVENT = 15
"""The netlink family of the kernel's device events (linux/netlink.h); all may listen to group 1."""
_KERNEL_GROUP = 1
_LONGEST_BYTES = 16384
_WAIT_SECONDS = 3600.0
_NVIDIA_VENDOR = b"PCI_ID=10DE:"
_MODULES = frozenset({b"DEVPATH=/module/nvidia", b"DEVPATH=/module/vfio_pci"})
_log = Log("discovery")


def kernel_events() -> socket.socket:
    """Raises `OSError` where they cannot be listened to."""
    listener = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, _KOBJECT_UEVENT)
    try:
        listener.bind((0, _KERNEL_GROUP))
    except OSError:
        listener.close()
        raise
    return listener


def concerns_gpus(message: bytes) -> bool:
    """An NVIDIA PCI device came, went or changed hands, or a driver of GPUs was loaded or unloaded."""
    fields = message.split(b"\0")
    return any(field.startswith(_NVIDIA_VENDOR) or field in _MODULES for field in fields)


def kernel_of(sysfs_root: Path) -> Callable[[], socket.socket] | None:
    """None for a simulated node: the events of the kernel we run on are not about its devices."""
    return kernel_events if sysfs_root == Path("/") else None


class Watch:
    """Of one node. `listen` opens the socket on which its kernel's events come; None where it has none."""

    def __init__(self, nvml: Nvml, listen: Callable[[], socket.socket] | None = kernel_events) -> None:
        self._nvml = nvml
        self._listen = listen
        self._woken = asyncio.Event()
        self._events: dict[Event, None] = {}

    async def run(self) -> None:
        """Once somebody has looked: what was before is not news."""
        with self._listening_to_the_kernel():
            while True:
                for event in await asyncio.to_thread(self._nvml.wait, _WAIT_SECONDS):
                    self._events[event] = None
                self.wake()

    def wake(self) -> None:
        self._woken.set()

    async def woken(self, timeout_seconds: float) -> None:
        """Until something happened or the time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._woken.wait()

    def taken(self) -> tuple[Event, ...]:
        """What happened since; each is handed out once, however often it happened."""
        self._woken.clear()
        events, self._events = tuple(self._events), {}
        return events

    @contextmanager
    def _listening_to_the_kernel(self) -> Iterator[None]:
        """Where that is not allowed, the timer finds what changed."""
        if self._listen is None:
            yield
            return
        try:
            listener = self._listen()
        except OSError as error:
            _log.info("kernel device events are not heard, the timer finds changes", reason=str(error))
            yield
            return
        loop = asyncio.get_running_loop()
        loop.add_reader(listener, self._hear, listener)
        try:
            yield
        finally:
            loop.remove_reader(listener)
            listener.close()

    def _hear(self, listener: socket.socket) -> None:
        try:
            about_gpus = concerns_gpus(listener.recv(_LONGEST_BYTES))
        except BlockingIOError:
            return
        except OSError:  # ENOBUFS: there were more than the socket holds
            about_gpus = True
        if about_gpus:
            self.wake()
