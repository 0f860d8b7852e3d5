"""The door to Kubernetes. Nothing else imports its client.

The client gives configuration, authentication and TLS; what travels is decoded by our own frozen
model, thirteen times as fast as by the client's. Faults are named for what to do about them.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import aiohttp
import msgspec
from kubernetes_asyncio import client, config
from kubernetes_asyncio.client.exceptions import ApiException
from kubernetes_asyncio.config import ConfigException

from slicewire.common import telemetry
from slicewire.common.logs import Log
from slicewire.common.model import ObjectMeta, wire
from slicewire.common.model.struct import Object
from slicewire.common.settings import BadSettings
from slicewire.publisher.watched import Gone, Kind, Listed, Seen

T = TypeVar("T", bound=Object)

_PAGE = 500
_ANSWER_SECONDS = 10.0
_WATCH_SECONDS = 300
_SILENCE_SECONDS = 330.0
_LONGEST_PAUSE_SECONDS = 15.0
_MOST_DOUBLINGS = 10
"""Past the longest pause; without a limit the power overflows after hours of failures."""
_BREATH_SECONDS = 0.05
"""Between a watch that ended well and the next: a server that ends them at once is not besieged."""
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
_log = Log("publisher.kube")


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


class _Status(Object, frozen=True):
    message: str = ""
    reason: str = ""
    code: int = 0


class _Expired(Exception):
    """The version to watch from is too old: list again."""


class Kube:
    """A connection to one API server."""

    def __init__(self, api: client.ApiClient) -> None:
        self._api = api

    async def create(self, path: str, document: Mapping[str, Any]) -> bytes:
        return await self._call("POST", path, body=document)

    async def replace(self, path: str, document: Mapping[str, Any]) -> bytes:
        return await self._call("PUT", path, body=document)

    async def patch(self, path: str, patch: Any, content_type: str = MERGE_PATCH) -> bytes:
        return await self._call("PATCH", path, body=patch, content_type=content_type)

    async def delete(self, path: str, uid: str, resource_version: str) -> None:
        """Only if it is still this object at this version."""
        preconditions = {"uid": uid, "resourceVersion": resource_version}
        document = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
        await self._call("DELETE", path, body=document)

    async def served(self, versions: Sequence[Kind[T]]) -> Kind[T] | None:
        """The first of these that the server has, by its own discovery; waits until it answers."""
        failures = 0
        while True:
            try:
                return await self._first_served(versions)
            except (ApiUnavailable, ApiConflict, ApiRejected, wire.Malformed) as error:
                failures += 1
                pause = _pause(error, failures)
                kind = versions[0].name
                _log.warning("cannot see what is served", kind=kind, reason=str(error), pause_seconds=pause)
                await asyncio.sleep(pause)

    async def _first_served(self, versions: Sequence[Kind[T]]) -> Kind[T] | None:
        for kind in versions:
            version, _, name = kind.path.rpartition("/")
            try:
                found = wire.decode(await self._call("GET", version), _ResourceList)
            except ApiNotFound:
                continue  # not even the version
            if any(each.name == name for each in found.resources):
                return kind
        return None

    async def follow(self, kind: Kind[T]) -> AsyncIterator[Listed[T] | Seen[T] | Gone[T]]:
        """All there is, then every change, for ever; after an interruption, all there is again where
        something may have been missed."""
        failures = 0
        while True:
            async for event in self.follow_while_served(kind):
                failures = 0
                yield event
            failures += 1
            await self._interrupted(kind, ApiNotFound("it is not served"), failures)

    async def follow_while_served(self, kind: Kind[T]) -> AsyncIterator[Listed[T] | Seen[T] | Gone[T]]:
        """The same, until the server has no such kind."""
        version, failures = "", 0
        while True:
            try:
                if not version:
                    version, objects = await self._list(kind)
                    yield Listed(objects)
                async for event in self._watch(kind, version):
                    failures = 0
                    match event:
                        case str():
                            version = event
                        case Seen(found) | Gone(found):
                            version = found.metadata.resource_version  # type: ignore[attr-defined]
                            yield event
                await asyncio.sleep(_BREATH_SECONDS)
            except _Expired:
                version = ""
                await asyncio.sleep(_BREATH_SECONDS)
            except ApiNotFound:
                return
            except (ApiUnavailable, ApiConflict, ApiRejected, wire.Malformed) as error:
                failures += 1
                await self._interrupted(kind, error, failures)

    async def _interrupted(self, kind: Kind[T], error: Exception, failures: int) -> None:
        pause = _pause(error, failures)
        _log.warning("watch is interrupted", kind=kind.name, reason=str(error), pause_seconds=pause)
        await asyncio.sleep(pause)

    async def _list(self, kind: Kind[T]) -> tuple[str, tuple[T, ...]]:
        objects: list[T] = []
        token = ""
        while True:
            query = {**kind.query, "limit": str(_PAGE), **({"continue": token} if token else {})}
            page = wire.decode(await self._call("GET", kind.path, query=query), _List)
            objects += [found for item in page.items if (found := _readable(bytes(item), kind)) is not None]
            token = page.metadata.continue_
            if not token:
                return page.metadata.resource_version, tuple(objects)

    async def _watch(self, kind: Kind[T], version: str) -> AsyncIterator[Seen[T] | Gone[T] | str]:
        """Changes after this version; a bare text is a version without a change."""
        query = {
            **kind.query,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        timeout = aiohttp.ClientTimeout(sock_connect=_ANSWER_SECONDS, sock_read=_SILENCE_SECONDS)
        with _mapped(f"watching {kind.name}"):
            response = await self._send("GET", kind.path, query=query, timeout=timeout)
            async with response:
                await _refuse(response)
                while line := await response.content.readline():
                    if (event := _event(wire.decode(line, _WatchEvent), kind)) is not None:
                        yield event

    async def _call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> bytes:
        timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
        with _mapped(f"{method} {path}"):
            response = await self._send(
                method, path, body=body, query=query, content_type=content_type, timeout=timeout
            )
            async with response:
                await _refuse(response)
                return bytes(await response.read())

    async def _send(
        self,
        method: str,
        path: str,
        *,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - the client's own, handed through
        body: Any = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> aiohttp.ClientResponse:
        headers = {"Accept": "application/json", "Content-Type": content_type, **telemetry.headers()}
        found: aiohttp.ClientResponse = await self._api.call_api(
            path,
            method,
            query_params=list((query or {}).items()),
            header_params=headers,
            body=body,
            response_types_map={},
            auth_settings=["BearerToken"],
            _return_http_data_only=True,
            _preload_content=False,
            _request_timeout=timeout,
        )
        return found


def _readable(raw: bytes, kind: Kind[T]) -> T | None:
    """None for an object that is not what we know of its kind: said, and the others go on."""
    try:
        return wire.decode(raw, kind.type)
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
            status = wire.decode(raw, _Status)
            if status.code == 410:
                raise _Expired
            raise ApiUnavailable(status.message or status.reason or event.type)


async def _refuse(response: aiohttp.ClientResponse) -> None:
    """Raise what an error answer means."""
    if response.status < 300:
        return
    status = _status(await response.read(), response.reason or "")
    said = f"{response.status} {status.reason}: {status.message}".strip(": ")
    match response.status:
        case 410:
            raise _Expired
        case 404:
            raise ApiNotFound(said)
        case 409:
            raise ApiConflict(said)
        case 429 | 500 | 502 | 503 | 504:
            raise ApiUnavailable(said, _seconds(response.headers.get("Retry-After", "")))
        case _:
            raise ApiRejected(said)


def _status(body: bytes, otherwise: str) -> _Status:
    try:
        return wire.decode(body, _Status)
    except wire.Malformed:
        return _Status(message=otherwise)


def _seconds(text: str) -> float:
    return float(text) if text.isdigit() else 0.0


def _pause(error: Exception, failures: int) -> float:
    """The server's wish, or longer after every failure; spread, so that watches do not come together."""
    wished = error.after_seconds if isinstance(error, ApiUnavailable) else 0.0
    grown = min(0.2 * 2.0 ** min(failures, _MOST_DOUBLINGS), _LONGEST_PAUSE_SECONDS)
    return max(wished, grown) * random.uniform(0.5, 1.0)  # noqa: S311 - spreading load, no secret


@contextmanager
def _mapped(attempt: str) -> Iterator[None]:
    try:
        yield
    except (aiohttp.ClientError, TimeoutError, OSError, ApiException) as error:
        raise ApiUnavailable(f"{attempt}: {error or type(error).__name__}") from error
    except ValueError as error:  # aiohttp: a line longer than it would read
        raise ApiUnavailable(f"{attempt}: {error}") from error


@asynccontextmanager
async def connected(kubeconfig: str, context: str) -> AsyncIterator[Kube]:
    """The API of this kubeconfig, or, without one, of the cluster we run in. Raises `BadSettings`."""
    configuration = client.Configuration()
    try:
        if kubeconfig:
            await config.load_kube_config(
                config_file=kubeconfig, context=context or None, client_configuration=configuration
            )
        else:
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except (ConfigException, OSError) as error:
        where = f"kubeconfig {kubeconfig}" if kubeconfig else "this pod's service account"
        raise BadSettings(f"no Kubernetes configuration from {where}: {error}") from error
    async with client.ApiClient(configuration) as api:
        yield Kube(api)
