"""What the API answers when it refuses: `Status` objects with the code, reason and details of the real one.

A refusal is raised where it is noticed and turned into an answer in one place, the server. It does not
say anything about HTTP beyond the code and how long to wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Subject:
    """What a refusal is about: `kind` is the kind for Invalid, the plural for all others, as upstream."""

    group: str = ""
    kind: str = ""
    name: str = ""

    @property
    def resource(self) -> str:
        return f"{self.kind}.{self.group}" if self.group else self.kind


@dataclass(frozen=True)
class Cause:
    reason: str
    message: str
    field: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


class Refused(Exception):
    """The request was not done, and why."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        about: Subject | None = None,
        causes: Iterable[Cause] = (),
        retry_after_seconds: int = 0,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.about = about or Subject()
        self.causes = tuple(causes)
        self.retry_after_seconds = retry_after_seconds

    def status(self) -> Mapping[str, Any]:
        details = {key: value for key, value in asdict(self.about).items() if value}
        if self.causes:
            details["causes"] = [asdict(cause) for cause in self.causes]
        if self.retry_after_seconds:
            details["retryAfterSeconds"] = self.retry_after_seconds
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            **({"details": details} if details else {}),
            "code": self.code,
        }


def not_found(about: Subject) -> Refused:
    return Refused(404, "NotFound", f'{about.resource} "{about.name}" not found', about=about)


def no_such_resource() -> Refused:
    return Refused(404, "NotFound", "the server could not find the requested resource")


def already_exists(about: Subject) -> Refused:
    return Refused(409, "AlreadyExists", f'{about.resource} "{about.name}" already exists', about=about)


def conflict(about: Subject, why: str) -> Refused:
    message = f'Operation cannot be fulfilled on {about.resource} "{about.name}": {why}'
    return Refused(409, "Conflict", message, about=about)


def forbidden(about: Subject, why: str, causes: Iterable[Cause] = ()) -> Refused:
    message = f'{about.resource} "{about.name}" is forbidden: {why}'
    return Refused(403, "Forbidden", message, about=about, causes=causes)


def bad_request(why: str) -> Refused:
    return Refused(400, "BadRequest", why)


def unprocessable(why: str) -> Refused:
    return Refused(422, "Invalid", why)


def invalid(about: Subject, causes: Iterable[Cause]) -> Refused:
    causes = tuple(causes)
    listed = ", ".join(str(cause) for cause in causes)
    told = listed if len(causes) == 1 else f"[{listed}]"
    message = f'{about.resource} "{about.name}" is invalid: {told}'
    return Refused(422, "Invalid", message, about=about, causes=causes)


def expired(why: str) -> Refused:
    return Refused(410, "Expired", why)


def too_large_version(asked: int, current: int) -> Refused:
    """The asked revision has not happened yet; upstream waits three seconds and then says this."""
    cause = Cause("ResourceVersionTooLarge", "Too large resource version", "")
    message = f"Timeout: Too large resource version: {asked}, current: {current}"
    return Refused(504, "Timeout", message, causes=[cause], retry_after_seconds=1)


def unsupported_media(given: str, accepted: Iterable[str]) -> Refused:
    message = (
        "the body of the request was in an unknown format - accepted media types include:"
        f" {', '.join(accepted)} (got {given!r})"
    )
    return Refused(415, "UnsupportedMediaType", message)


def not_allowed() -> Refused:
    return Refused(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


def unauthorized() -> Refused:
    """Of a client that shows no token, or one that is not known."""
    return Refused(401, "Unauthorized", "Unauthorized")


def injected(code: int, retry_after_seconds: int) -> Refused:
    """A failure a test asked for, looking like the one a loaded or broken server gives."""
    reason = {429: "TooManyRequests", 503: "ServiceUnavailable", 504: "Timeout"}.get(code, "InternalError")
    message = f"the server is made to fail with {code}"
    return Refused(code, reason, message, retry_after_seconds=retry_after_seconds)
