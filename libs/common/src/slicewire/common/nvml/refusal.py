"""What NVML answers when it does not do or say what it was asked: its codes, as values. Pure."""

from __future__ import annotations

from enum import StrEnum


class NvmlCode(StrEnum):
    """NVML's return codes that somebody can act on; any other is `UNKNOWN`, its text kept in the refusal."""

    INVALID_ARGUMENT = "invalidArgument"
    NOT_SUPPORTED = "notSupported"
    """This GPU, this driver or this mode has no such thing."""
    NO_PERMISSION = "noPermission"
    NOT_FOUND = "notFound"
    """No GPU of this UUID, no instance of this id: for who removes it, done already."""
    INSUFFICIENT_RESOURCES = "insufficientResources"
    """The placement or the engines are taken."""
    IN_USE = "inUse"
    """Somebody works with it: ask again when they have left."""
    RESET_REQUIRED = "resetRequired"
    """Noted, and true only after the GPU is reset."""
    LOST = "lost"
    """The GPU fell off the bus."""
    DRIVER_AWAY = "driverAway"
    """No driver, no library, or it went in between."""
    TIMEOUT = "timeout"
    UNKNOWN = "unknown"


class NvmlRefused(Exception):
    """One operation was not done. `what` names it, the GPU and the reason."""

    def __init__(self, code: NvmlCode, what: str) -> None:
        super().__init__(what)
        self.code = code
        self.what = what
