"""One call to NVML, and what it means when it fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pynvml

from slicewire.common.nvml.facts import Unseen
from slicewire.common.nvml.refusal import NvmlCode

T = TypeVar("T")
_WHOLE_GPU = 0xFFFFFFFF
_CODES = {
    pynvml.NVML_ERROR_UNINITIALIZED: NvmlCode.DRIVER_AWAY,
    pynvml.NVML_ERROR_INVALID_ARGUMENT: NvmlCode.INVALID_ARGUMENT,
    pynvml.NVML_ERROR_NOT_SUPPORTED: NvmlCode.NOT_SUPPORTED,
    pynvml.NVML_ERROR_NO_PERMISSION: NvmlCode.NO_PERMISSION,
    pynvml.NVML_ERROR_NOT_FOUND: NvmlCode.NOT_FOUND,
    pynvml.NVML_ERROR_DRIVER_NOT_LOADED: NvmlCode.DRIVER_AWAY,
    pynvml.NVML_ERROR_TIMEOUT: NvmlCode.TIMEOUT,
    pynvml.NVML_ERROR_LIBRARY_NOT_FOUND: NvmlCode.DRIVER_AWAY,
    pynvml.NVML_ERROR_FUNCTION_NOT_FOUND: NvmlCode.NOT_SUPPORTED,
    pynvml.NVML_ERROR_GPU_IS_LOST: NvmlCode.LOST,
    pynvml.NVML_ERROR_RESET_REQUIRED: NvmlCode.RESET_REQUIRED,
    pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: NvmlCode.DRIVER_AWAY,
    pynvml.NVML_ERROR_IN_USE: NvmlCode.IN_USE,
    pynvml.NVML_ERROR_INSUFFICIENT_RESOURCES: NvmlCode.INSUFFICIENT_RESOURCES,
    pynvml.NVML_ERROR_GPU_NOT_FOUND: NvmlCode.NOT_FOUND,
    pynvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH: NvmlCode.NOT_SUPPORTED,  # a driver older than the question
    pynvml.NVML_ERROR_DEPRECATED: NvmlCode.NOT_SUPPORTED,  # a driver newer than it
}


def code_of(number: int) -> NvmlCode:
    return _CODES.get(number, NvmlCode.UNKNOWN)


def text_of(number: int) -> str:
    return str(pynvml.NVMLError(number))


class Failed(Exception):
    """One call to NVML failed."""

    def __init__(self, code: NvmlCode, text: str) -> None:
        super().__init__(text)
        self.code = code


def do(call: Callable[..., T], *arguments: object) -> T:
    """Raises `Failed`."""
    try:
        return call(*arguments)
    except pynvml.NVMLError as error:
        raise Failed(code_of(error.value), str(error)) from error
    except UnicodeDecodeError as error:
        raise Failed(NvmlCode.UNKNOWN, "NVML answers with bytes that are not text") from error


def ask(what: str, call: Callable[..., T], *arguments: object) -> T:
    """Raises `Failed`, which says what was asked."""
    try:
        return do(call, *arguments)
    except Failed as failed:
        raise Failed(failed.code, f"reading {what}: {failed}") from failed


def ask_if_there_is(what: str, call: Callable[..., T], *arguments: object) -> T | None:
    """None where this GPU or this driver has no such thing. Raises `Failed`."""
    try:
        return ask(what, call, *arguments)
    except Failed as failed:
        if failed.code is NvmlCode.NOT_SUPPORTED:
            return None
        raise


class Parts:
    """Asks for what a GPU can be used without, and keeps what could not be read."""

    def __init__(self, bus_id: str) -> None:
        self._bus_id = bus_id
        self._unread: list[Unseen] = []

    @property
    def unread(self) -> tuple[Unseen, ...]:
        return tuple(self._unread)

    def ask(self, what: str, call: Callable[..., T], *arguments: object) -> T | None:
        """None where there is no such thing or it cannot be read. Raises `Failed` for a GPU that is lost."""
        try:
            return ask_if_there_is(what, call, *arguments)
        except Failed as failed:
            if failed.code is NvmlCode.LOST:
                raise
            said = Unseen(what, str(failed), self._bus_id, failed.code)
            if said not in self._unread:  # asked for every MIG profile, say
                self._unread.append(said)
            return None


def part(number: int) -> int | None:
    """The id of a GPU or compute instance; None where NVML means the whole GPU."""
    return None if number == _WHOLE_GPU else number


def text(value: bytes | str) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
