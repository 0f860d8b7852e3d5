"""What an API server may answer in place of what was asked, named for what to do about it. Pure."""

from __future__ import annotations

from slicewire.common.model import wire
from slicewire.common.model.struct import Object


class ApiUnavailable(Exception):
    """No answer, or one that asks to come again. `after_seconds` is the server's wish, 0 if none."""

    def __init__(self, reason: str, after_seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.after_seconds = after_seconds


class ApiConflict(Exception):
    """The object has moved on, or is there already: look again."""


class ApiNotFound(Exception):
    """There is no such object."""


class ApiRejected(Exception):
    """The server will not have it as it is; trying again changes nothing."""


class ApiUnauthorized(ApiUnavailable):
    """The server does not know us: the credentials have expired, or were never any good."""


class Expired(Exception):
    """The version to watch from is too old: list again."""


class NotLeading(Exception):
    """The lease is another's, or may be so any moment: nothing is written."""


class Status(Object, frozen=True):
    """The document of a refusal."""

    message: str = ""
    reason: str = ""
    code: int = 0


_UNAUTHORIZED_SECONDS = 5.0


def refusal(code: int, reason: str, body: bytes, retry_after: str = "") -> Exception:
    """What an error answer means. `reason` is that of HTTP, for a body that says nothing."""
    status = _status(body, reason)
    said = f"{code} {status.reason}: {status.message}".strip(": ")
    match code:
        case 410:
            return Expired(said)
        case 404:
            return ApiNotFound(said)
        case 409:
            return ApiConflict(said)
        case 401:
            return ApiUnauthorized(said, _UNAUTHORIZED_SECONDS)
        case 408 | 429 | 500 | 502 | 503 | 504:
            return ApiUnavailable(said, seconds(retry_after))
        case _:
            return ApiRejected(said)


def _status(body: bytes, otherwise: str) -> Status:
    try:
        return wire.decode(body, Status)
    except wire.Malformed:
        return Status(message=otherwise)


def seconds(text: str) -> float:
    """Of a Retry-After header; its other form, a date, is not Kubernetes'."""
    return float(text) if text.isdigit() else 0.0
