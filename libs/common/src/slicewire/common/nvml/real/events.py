"""What the driver reports while nobody looks."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import pynvml

from slicewire.common.nvml.facts import Event, EventKind
from slicewire.common.nvml.real.asking import part

_HEARD = {
    pynvml.nvmlEventTypeXidCriticalError: EventKind.XID,
    pynvml.nvmlEventTypeDoubleBitEccError: EventKind.MEMORY_ERROR,
    pynvml.nvmlEventTypeGpuUnavailableError: EventKind.RECOVERY,
    pynvml.nvmlEventTypeGpuRecoveryAction: EventKind.RECOVERY,
    pynvml.nvmlEventMigConfigChange: EventKind.CHANGED,
}
_MOST_EVENTS = 64


class Listener:
    """One set of events for all GPUs of a session. One thread waits; any may look meanwhile."""

    def __init__(self) -> None:
        self._setting_up = threading.Lock()
        self._events: Any = None
        self._listened_to: set[str] = set()

    def is_listening(self) -> bool:
        return self._events is not None

    def listen_to(self, handle: object, uuid: str) -> None:
        """A GPU that reports no events is looked at on the timer, like all others."""
        with self._setting_up, suppress(pynvml.NVMLError):
            if uuid not in self._listened_to:
                self._register(handle)
                self._listened_to.add(uuid)

    def _register(self, handle: object) -> None:
        if self._events is None:
            self._events = pynvml.nvmlEventSetCreate()
        kinds = pynvml.nvmlDeviceGetSupportedEventTypes(handle) & sum(_HEARD)
        if kinds:
            pynvml.nvmlDeviceRegisterEvents(handle, kinds, self._events)

    def stop(self) -> None:
        with self._setting_up:
            events, self._events = self._events, None
            self._listened_to.clear()
            if events is not None:
                with suppress(pynvml.NVMLError):  # it went with its driver
                    pynvml.nvmlEventSetFree(events)

    def heard(self, milliseconds: int) -> tuple[Event, ...]:
        """The next event, and those that are there already behind it; `UNHEARD` where NVML fails."""
        found: list[Event] = []
        try:
            while self._events is not None and len(found) < _MOST_EVENTS:
                found.append(_event(pynvml.nvmlEventSetWait(self._events, milliseconds)))
                milliseconds = 0
        except pynvml.NVMLError as error:
            if error.value != pynvml.NVML_ERROR_TIMEOUT:
                self.stop()
                found.append(Event(EventKind.UNHEARD))
        return tuple(found)


def _event(found: Any) -> Event:
    kind = _HEARD.get(found.eventType, EventKind.UNHEARD)
    try:
        gpu = pynvml.nvmlDeviceGetUUID(found.device)
    except pynvml.NVMLError:
        return Event(EventKind.UNHEARD)
    return Event(
        kind,
        gpu,
        found.eventData if kind is EventKind.XID else 0,
        part(found.gpuInstanceId),
        part(found.computeInstanceId),
    )
