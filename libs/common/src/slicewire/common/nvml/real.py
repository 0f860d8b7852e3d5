"""The real room: the one importer of `pynvml`. It reads and never interprets.

One session is kept open between looks and opened anew when it fails, the library loaded again:
a driver may come, go or be upgraded while we run.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pynvml

from slicewire.common.nvml.facts import Event, EventKind, GpuFacts, NodeFacts, NvmlAbsent, Unseen
from slicewire.common.nvml.port import Closed

T = TypeVar("T")
_LIBRARY = "libnvidia-ml.so.1"
_LIBRARY_FOLDERS = ("usr/lib64", "usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "lib64", "lib")
"""Where a driver installed under a root of its own (a container's mount, say) puts it."""
_SLICE_SECONDS = 0.5
"""NVML's wait cannot be called off: short ones let `close` in between."""
_MOST_EVENTS = 64
# fmt: off
_BRANDS = (
    "Unknown", "Quadro", "Tesla", "NVS", "Grid", "GeForce",
    "Titan", "NvidiaVApps", "NvidiaVPC", "NvidiaVCS", "NvidiaVWS", "NvidiaCloudGaming",
    "QuadroRTX", "NvidiaRTX", "Nvidia", "GeForceRTX", "TitanRTX",
)
# fmt: on
"""The names NVIDIA's DRA driver publishes, by NVML's number."""
_ARCHITECTURES = {
    pynvml.NVML_DEVICE_ARCH_KEPLER: "Kepler",
    pynvml.NVML_DEVICE_ARCH_MAXWELL: "Maxwell",
    pynvml.NVML_DEVICE_ARCH_PASCAL: "Pascal",
    pynvml.NVML_DEVICE_ARCH_VOLTA: "Volta",
    pynvml.NVML_DEVICE_ARCH_TURING: "Turing",
    pynvml.NVML_DEVICE_ARCH_AMPERE: "Ampere",
    pynvml.NVML_DEVICE_ARCH_ADA: "Ada Lovelace",
    pynvml.NVML_DEVICE_ARCH_HOPPER: "Hopper",
    pynvml.NVML_DEVICE_ARCH_BLACKWELL: "Blackwell",
    pynvml.NVML_DEVICE_ARCH_RUBIN: "Rubin",
}
_ADDRESSING_MODES = {
    pynvml.NVML_DEVICE_ADDRESSING_MODE_NONE: "None",
    pynvml.NVML_DEVICE_ADDRESSING_MODE_HMM: "HMM",
    pynvml.NVML_DEVICE_ADDRESSING_MODE_ATS: "ATS",
}
_HEARD = pynvml.nvmlEventTypeXidCriticalError | pynvml.nvmlEventTypeDoubleBitEccError
_NO_SUCH_THING = (pynvml.NVML_ERROR_NOT_SUPPORTED, pynvml.NVML_ERROR_FUNCTION_NOT_FOUND)


class _Failed(Exception):
    """One call to NVML failed; the message says which."""


def _ask(what: str, call: Callable[..., T], *arguments: object) -> T:
    try:
        return call(*arguments)
    except pynvml.NVMLError as error:
        raise _Failed(f"reading {what}: {error}") from error
    except UnicodeDecodeError as error:
        raise _Failed(f"reading {what}: NVML answers with bytes that are not text") from error


def _ask_if_there_is(what: str, call: Callable[..., T], *arguments: object) -> T | None:
    """None where this GPU or this driver has no such thing."""
    try:
        return _ask(what, call, *arguments)
    except _Failed as failed:
        if getattr(failed.__cause__, "value", None) in _NO_SUCH_THING:
            return None
        raise


class RealNvml:
    """`Nvml` of this machine. One in a process: the library has one state."""

    def __init__(self, library: str = "", driver_root: Path = Path("/")) -> None:
        self._library = library
        self._driver_root = driver_root
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._open = False
        self._events: Any = None
        self._listened_to: set[str] = set()

    @property
    def sysfs_root(self) -> Path:
        return Path("/")

    @property
    def driver_root(self) -> Path:
        return self._driver_root

    def look(self) -> NodeFacts | NvmlAbsent:
        with self._lock:
            if self._closed.is_set():
                raise Closed
            try:
                self._begin()
                return self._node()
            except (OSError, _Failed) as error:
                self._end()
                return NvmlAbsent(str(error))

    def wait(self, timeout_seconds: float) -> tuple[Event, ...]:
        deadline = time.monotonic() + timeout_seconds
        while not self._closed.is_set() and (left := deadline - time.monotonic()) > 0:
            if found := self._listen(min(left, _SLICE_SECONDS)):
                return found
        return ()

    def close(self) -> None:
        self._closed.set()
        with self._lock:
            self._end()

    def _begin(self) -> None:
        if self._open:
            return
        # pynvml only knows the loader's own search. A library of our choice goes where it would
        # put it; what it remembers belongs to the library before.
        pynvml.nvmlLib = ctypes.CDLL(self._library or _found_under(self._driver_root))
        pynvml._nvmlGetFunctionPointer_cache.clear()  # noqa: SLF001
        _ask("NVML", pynvml.nvmlInitWithFlags, pynvml.NVML_INIT_FLAG_NO_GPUS)
        self._open = True

    def _end(self) -> None:
        self._stop_listening()
        if self._open:
            self._open = False
            try:
                pynvml.nvmlShutdown()
            except pynvml.NVMLError:
                return  # a driver that went away has nothing left to shut down

    def _node(self) -> NodeFacts:
        driver_version = _ask("driver version", pynvml.nvmlSystemGetDriverVersion)
        cuda = _ask("CUDA driver version", pynvml.nvmlSystemGetCudaDriverVersion)
        seen = tuple(map(self._gpu, range(_ask("GPU count", pynvml.nvmlDeviceGetCount))))
        return NodeFacts(
            driver_version=driver_version,
            cuda_driver_version=f"{cuda // 1000}.{cuda % 1000 // 10}",
            gpus=tuple(one for one in seen if isinstance(one, GpuFacts)),
            unseen=tuple(one for one in seen if isinstance(one, Unseen)),
        )

    def _gpu(self, index: int) -> GpuFacts | Unseen:
        bus_id = ""
        try:
            handle = _ask("handle", pynvml.nvmlDeviceGetHandleByIndex, index)
            bus_id = _text(_ask("PCI bus id", pynvml.nvmlDeviceGetPciInfo, handle).busId)
            facts = _gpu_facts(handle, bus_id)
        except _Failed as failed:
            return Unseen(f"GPU with NVML index {index}", str(failed), bus_id)
        self._listen_to(handle, facts.uuid)
        return facts

    def _listen_to(self, handle: object, uuid: str) -> None:
        """A GPU that reports no events is looked at on the timer, like all others."""
        if uuid in self._listened_to:
            return
        try:
            if self._events is None:
                self._events = pynvml.nvmlEventSetCreate()
            kinds = pynvml.nvmlDeviceGetSupportedEventTypes(handle) & _HEARD
            if kinds:
                pynvml.nvmlDeviceRegisterEvents(handle, kinds, self._events)
        except pynvml.NVMLError:
            return
        self._listened_to.add(uuid)

    def _stop_listening(self) -> None:
        events, self._events = self._events, None
        self._listened_to.clear()
        if events is not None:
            try:
                pynvml.nvmlEventSetFree(events)
            except pynvml.NVMLError:
                return  # it went with its driver

    def _listen(self, seconds: float) -> tuple[Event, ...]:
        with self._lock:
            if self._events is not None:
                return self._heard(seconds)
        self._closed.wait(seconds)
        return ()

    def _heard(self, seconds: float) -> tuple[Event, ...]:
        """The next event, and those that are there already behind it."""
        found: list[Event] = []
        milliseconds = int(seconds * 1000)
        try:
            while len(found) < _MOST_EVENTS:
                found.append(_event(pynvml.nvmlEventSetWait(self._events, milliseconds)))
                milliseconds = 0
        except pynvml.NVMLError as error:
            if error.value != pynvml.NVML_ERROR_TIMEOUT:
                self._stop_listening()
                self._closed.wait(_SLICE_SECONDS)  # it may fail again at once
                found.append(Event(EventKind.UNHEARD))
        return tuple(found)


def _found_under(driver_root: Path) -> str:
    """The library there; by its name alone, for the loader to find, where there is none."""
    if driver_root != Path("/"):
        for folder in _LIBRARY_FOLDERS:
            if (library := driver_root / folder / _LIBRARY).exists():
                return str(library)
    return _LIBRARY


def _gpu_facts(handle: object, bus_id: str) -> GpuFacts:
    major, minor = _ask("compute capability", pynvml.nvmlDeviceGetCudaComputeCapability, handle)
    brand = _ask("brand", pynvml.nvmlDeviceGetBrand, handle)
    architecture = _ask("architecture", pynvml.nvmlDeviceGetArchitecture, handle)
    memory = _ask_if_there_is("memory", pynvml.nvmlDeviceGetMemoryInfo, handle)
    mig = _ask_if_there_is("MIG mode", pynvml.nvmlDeviceGetMigMode, handle)
    addressing = _ask_if_there_is("addressing mode", pynvml.nvmlDeviceGetAddressingMode, handle)
    return GpuFacts(
        minor=_ask("minor number", pynvml.nvmlDeviceGetMinorNumber, handle),
        uuid=_ask("UUID", pynvml.nvmlDeviceGetUUID, handle),
        pci_bus_id=bus_id,
        product_name=_ask("name", pynvml.nvmlDeviceGetName, handle),
        brand=_BRANDS[brand] if brand < len(_BRANDS) else "Unknown",
        architecture=_ARCHITECTURES.get(architecture, "Unknown"),
        cuda_compute_capability=f"{major}.{minor}",
        memory_bytes=None if memory is None else memory.total,
        addressing_mode=None if addressing is None else _ADDRESSING_MODES.get(addressing),
        mig_enabled=mig is not None and bool(mig[0]),
    )


def _event(found: Any) -> Event:
    try:
        gpu = pynvml.nvmlDeviceGetUUID(found.device)
    except pynvml.NVMLError:
        return Event(EventKind.UNHEARD)
    if found.eventType == pynvml.nvmlEventTypeXidCriticalError:
        return Event(EventKind.XID, gpu, found.eventData)
    return Event(EventKind.MEMORY_ERROR, gpu)


def _text(value: bytes | str) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
