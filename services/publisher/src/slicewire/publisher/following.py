"""Following a kind: all there is, then every change, across whatever a server and a network do.

Knows lists, watches and their faults; asks through a `Source`, and so knows no client and no HTTP.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol, TypeVar

import msgspec

from slicewire.common.logs import Log
from slicewire.common.model import ObjectMeta, wire
from slicewire.common.model.struct import Object
from slicewire.publisher import metrics
from slicewire.publisher.apifaults import (
    ApiConflict,
    ApiNotFound,
    ApiRejected,
    ApiUnavailable,
    Expired,
    Status,
)
from slicewire.publisher.watched import Gone, Kind, Listed, Seen

T = TypeVar("T", bound=Object)

_PAGE = 500
_WATCH_SECONDS = 300
_LONGEST_PAUSE_SECONDS = 15.0
_MOST_DOUBLINGS = 10
"""Past the longest pause; without a limit the power overflows after hours of failures."""
_BREATH_SECONDS = 0.05
"""Between a watch that ended well and the next: a server that ends them at once is not besieged."""
FAULTS = (ApiUnavailable, ApiConflict, ApiRejected, wire.Malformed)
_log = Log("publisher.kube")


class Source(Protocol):
    """Where lists and watches are asked for. Both raise the faults of `apifaults`."""

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes: ...
    def lines(self, path: str, query: Mapping[str, str]) -> AsyncIterator[bytes]: ...


class _ListMeta(Object, frozen=True):
    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class _List(Object, frozen=True):
    metadata: _ListMeta = msgspec.field(default_factory=_ListMeta)
    items: tuple[msgspec.Raw, ...] = ()


class _WatchEvent(Object, frozen=True):
    type: str
    object: msgspec.Raw


class _Resource(Object, frozen=True):
    name: str = ""


class _ResourceList(Object, frozen=True):
    resources: tuple[_Resource, ...] = ()


class _OnlyMeta(Object, frozen=True):
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)


async def first_served(source: Source, versions: Sequence[Kind[T]]) -> Kind[T] | None:
    """The first of these that the server has, by its own discovery; waits until it answers."""
    failures = 0
    while True:
        try:
            return await _first_served(source, versions)
        except FAULTS as error:
            failures += 1
            wait = pause(error, failures)
            kind = versions[0].name
            _log.warning("cannot see what is served", kind=kind, reason=str(error), pause_seconds=wait)
            await asyncio.sleep(wait)


async def _first_served(source: Source, versions: Sequence[Kind[T]]) -> Kind[T] | None:
    for kind in versions:
        version, _, name = kind.path.rpartition("/")
        try:
            found = wire.decode(await source.get(version), _ResourceList)
        except ApiNotFound:
            continue  # not even the version
        if any(each.name == name for each in found.resources):
            return kind
    return None


async def follow(source: Source, kind: Kind[T]) -> AsyncIterator[Listed[T] | Seen[T] | Gone[T]]:
    """All there is, then every change, for ever; after an interruption, all there is again where
    something may have been missed."""
    failures = 0
    while True:
        async for event in follow_while_served(source, kind):
            failures = 0
            yield event
        failures += 1
        await _interrupted(kind, ApiNotFound("it is not served"), failures)


async def follow_while_served(source: Source, kind: Kind[T]) -> AsyncIterator[Listed[T] | Seen[T] | Gone[T]]:
    """The same, until the server has no such kind."""
    version, failures = "", 0
    while True:
        try:
            if not version:
                version, objects = await _list(source, kind)
                yield Listed(objects)
            async for event in _watch(source, kind, version):
                failures = 0
                match event:
                    case str():
                        version = event
                    case Seen(found) | Gone(found):
                        version = found.metadata.resource_version  # type: ignore[attr-defined]
                        yield event
            await asyncio.sleep(_BREATH_SECONDS)
        except Expired:
            version = ""
            await asyncio.sleep(_BREATH_SECONDS)
        except ApiNotFound:
            return
        except FAULTS as error:
            failures += 1
            await _interrupted(kind, error, failures)


async def _interrupted(kind: Kind[T], error: Exception, failures: int) -> None:
    wait = pause(error, failures)
    metrics.INTERRUPTIONS.add(kind.name)
    _log.warning("watch is interrupted", kind=kind.name, reason=str(error), pause_seconds=wait)
    await asyncio.sleep(wait)


async def _list(source: Source, kind: Kind[T]) -> tuple[str, tuple[T, ...]]:
    objects: list[T] = []
    token = ""
    while True:
        query = {**kind.query, "limit": str(_PAGE), **({"continue": token} if token else {})}
        page = wire.decode(await source.get(kind.path, query), _List)
        objects += [found for item in page.items if (found := _readable(bytes(item), kind)) is not None]
        token = page.metadata.continue_
        if not token:
            metrics.LISTS.add(kind.name)
            return page.metadata.resource_version, tuple(objects)


async def _watch(source: Source, kind: Kind[T], version: str) -> AsyncIterator[Seen[T] | Gone[T] | str]:
    """Changes after this version; a bare text is a version without a change."""
    query = {
        **kind.query,
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": version,
        "timeoutSeconds": str(_WATCH_SECONDS),
    }
    async for line in source.lines(kind.path, query):
        if (event := _event(wire.decode(line, _WatchEvent), kind)) is not None:
            yield event


def _readable(raw: bytes, kind: Kind[T]) -> T | None:
    """None for an object that is not what we know of its kind: said, and the others go on."""
    try:
        return kind.read(raw)
    except wire.Malformed as error:
        _log.error("object cannot be read", kind=kind.name, name=_name_of(raw), reason=str(error))
        return None


def _name_of(raw: bytes) -> str:
    try:
        return wire.decode(raw, _OnlyMeta).metadata.name
    except wire.Malformed:
        return ""


def _event(event: _WatchEvent, kind: Kind[T]) -> Seen[T] | Gone[T] | str | None:
    raw = bytes(event.object)
    match event.type:
        case "ADDED" | "MODIFIED":
            seen = _readable(raw, kind)
            return None if seen is None else Seen(seen)
        case "DELETED":
            gone = _readable(raw, kind)
            return None if gone is None else Gone(gone)
        case "BOOKMARK":
            return wire.decode(raw, _OnlyMeta).metadata.resource_version
        case _:
            status = wire.decode(raw, Status)
            if status.code == 410:
                raise Expired(status.message)
            raise ApiUnavailable(status.message or status.reason or event.type)


def pause(error: Exception, failures: int) -> float:
    """The server's wish, or longer after every failure; spread, so that watches do not come together."""
    wished = error.after_seconds if isinstance(error, ApiUnavailable) else 0.0
    grown = min(0.2 * 2.0 ** min(failures, _MOST_DOUBLINGS), _LONGEST_PAUSE_SECONDS)
    return max(wished, grown) * random.uniform(0.5, 1.0)  # noqa: S311 - spreading load, no secret
