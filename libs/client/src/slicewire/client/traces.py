"""Spans of one trace, out of Jaeger's query API, and the tree that they are.

Refuses to know the bus: whose trace it is, is found elsewhere.
"""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

_SECONDS = 10.0
_FAILED = 2
"""`STATUS_CODE_ERROR` of OTLP."""
_CLAIM = "slicewire.claim_uid"


class BackendAway(Exception):
    """Nobody answers there, or something that is not Jaeger; the message says what to look at."""


class BadBackend(ValueError):
    """What was given is no URL of a query API."""


class SeenSpan(msgspec.Struct, frozen=True, kw_only=True):
    """One span as the backend has it. Times are nanoseconds since 1970."""

    service: str
    instance: str
    name: str
    id: str
    parent: str
    begun: int
    ended: int
    attributes: Mapping[str, str]
    links: tuple[str, ...]
    """Ids of the traces it is linked to."""
    failure: str

    @property
    def milliseconds(self) -> float:
        return (self.ended - self.begun) / 1e6


class Branch(msgspec.Struct, frozen=True):
    """A span and how deep below the first it is."""

    depth: int
    span: SeenSpan


async def fetched(backend: str, trace_id: str) -> tuple[SeenSpan, ...]:
    """Every span of the trace, in the order they began; none where it is not known. Raises `BackendAway`
    and `BadBackend`."""
    scheme, host, *_ = urllib.parse.urlsplit(backend)
    if scheme not in ("http", "https") or not host:
        raise BadBackend(f"--jaeger {backend!r} is no URL like http://127.0.0.1:16686")
    url = f"{backend.rstrip('/')}/api/v3/traces/{trace_id}"
    answer = await asyncio.to_thread(_asked, backend, url)
    return tuple(sorted(_spans(answer), key=lambda span: span.begun))


def _asked(backend: str, url: str) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=_SECONDS) as response:  # noqa: S310 - http(s), see `fetched`
            return json.loads(response.read())
    except urllib.error.HTTPError as error:
        if error.code == 404 and _says_why(error.read()):
            return {}
        raise BackendAway(
            f"{backend} answers {error.code} to {urllib.parse.urlsplit(url).path}: is it the port of"
            " Jaeger's UI and query API (16686), and not that of OTLP?"
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise BackendAway(
            f"Jaeger at {backend} does not answer: {reason}; is it running, and is this its query port?"
        ) from error


def _says_why(body: bytes) -> bool:
    """A 404 of Jaeger's is JSON; that of another server is a page."""
    try:
        return isinstance(json.loads(body), dict)
    except ValueError:
        return False


def _spans(answer: Mapping[str, Any]) -> Iterator[SeenSpan]:
    for resource in answer.get("result", {}).get("resourceSpans", ()):
        about = _attributes(resource.get("resource", {}))
        for scope in resource.get("scopeSpans", ()):
            for span in scope.get("spans", ()):
                yield _span(about, span)


def _span(about: Mapping[str, str], span: Mapping[str, Any]) -> SeenSpan:
    status = span.get("status", {})
    return SeenSpan(
        service=about.get("service.name", ""),
        instance=about.get("service.instance.id", ""),
        name=span["name"],
        id=span["spanId"],
        parent=span.get("parentSpanId", ""),
        begun=int(span["startTimeUnixNano"]),
        ended=int(span["endTimeUnixNano"]),
        attributes=_attributes(span),
        links=tuple(link["traceId"] for link in span.get("links", ())),
        failure=status.get("message", "failed") if status.get("code") == _FAILED else "",
    )


def _attributes(of: Mapping[str, Any]) -> dict[str, str]:
    return {found["key"]: _text(found.get("value", {})) for found in of.get("attributes", ())}


def _text(value: Mapping[str, Any]) -> str:
    if "arrayValue" in value:
        return ", ".join(_text(each) for each in value["arrayValue"].get("values", ()))
    return str(next(iter(value.values()), ""))


def tree(spans: Sequence[SeenSpan], claim_uid: str) -> tuple[Branch, ...]:
    """Each span above what it led to; of a request for several claims only what is of this one."""
    known = {span.id for span in spans}
    below: dict[str, list[SeenSpan]] = {}
    for span in spans:
        below.setdefault(span.parent if span.parent in known else "", []).append(span)

    def grown(parent: str, depth: int) -> Iterator[Branch]:
        for span in below.get(parent, ()):
            if claim_uid in span.attributes.get(_CLAIM, claim_uid):
                yield Branch(depth, span)
                yield from grown(span.id, depth + 1)

    return tuple(grown("", 0))
