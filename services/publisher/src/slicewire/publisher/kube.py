"""The door to Kubernetes. Nothing else imports its client.

The client gives configuration, authentication and TLS; what travels is decoded by our own frozen
model, thirteen times as fast as by the client's. Faults are named in `apifaults`. Decides nothing, and
refuses to write while its fence is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import aiohttp
import msgspec
from kubernetes_asyncio import client, config
from kubernetes_asyncio.client.exceptions import ApiException
from kubernetes_asyncio.config import ConfigException

from slicewire.common import telemetry
from slicewire.common.logs import Log
from slicewire.common.model.struct import Object
from slicewire.common.settings import BadSettings
from slicewire.publisher import following, metrics, watched
from slicewire.publisher.apifaults import ApiUnauthorized, ApiUnavailable, NotLeading, refusal
from slicewire.publisher.core.versions import Dialect
from slicewire.publisher.pacing import Pace
from slicewire.publisher.watched import Gone, Kind, Listed, Seen

T = TypeVar("T", bound=Object)

_ANSWER_SECONDS = 10.0
_SILENCE_SECONDS = 330.0
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
Fence = Callable[[], float]
"""For how many seconds from now writes are ours; none: not at all."""
_log = Log("publisher.kube")


class _Request(msgspec.Struct, frozen=True):
    method: str
    path: str
    body: Any = None
    content_type: str = "application/json"
    query: Mapping[str, str] | None = None


class Credentials:
    """Where to connect and as whom: a kubeconfig, or the service account of the pod we are."""

    def __init__(self, kubeconfig: str, context: str) -> None:
        self._kubeconfig = kubeconfig
        self._context = context

    async def client(self) -> client.ApiClient:
        """A client with what is on disk now. Raises `BadSettings`."""
        found = client.Configuration()
        try:
            if self._kubeconfig:
                await config.load_kube_config(
                    config_file=self._kubeconfig, context=self._context or None, client_configuration=found
                )
            else:
                config.load_incluster_config(client_configuration=found)  # type: ignore[no-untyped-call]
        except (ConfigException, OSError) as error:
            where = f"kubeconfig {self._kubeconfig}" if self._kubeconfig else "this pod's service account"
            raise BadSettings(f"no Kubernetes configuration from {where}: {error}") from error
        return client.ApiClient(found)


class _Connection:
    """The client in use, replaced where the server no longer knows it. Who is asked with it is one."""

    def __init__(self, credentials: Credentials, api: client.ApiClient) -> None:
        self.api = api
        self.writes = 0
        self._credentials = credentials
        self._lock = asyncio.Lock()
        self._retired: client.ApiClient | None = None
        """The one before, kept for what is still under way on it."""

    async def renew(self, refused: client.ApiClient) -> None:
        """Read the credentials again, unless another request already has."""
        async with self._lock:
            if self.api is not refused:
                return
            try:
                fresh = await self._credentials.client()
            except BadSettings as error:
                raise ApiUnavailable(str(error)) from error
            if self._retired is not None:
                await self._retired.close()
            self.api, self._retired = fresh, refused
            _log.info("credentials read again")

    async def close(self) -> None:
        await self.api.close()
        if self._retired is not None:
            await self._retired.close()


class Kube:
    """A connection to one API server."""

    def __init__(self, connection: _Connection, pace: Pace, fence: Fence | None = None) -> None:
        self._connection = connection
        self._pace = pace
        self._fence = fence
        self.dialect = Dialect()

    @property
    def writes(self) -> int:
        """How many were asked for on this connection."""
        return self._connection.writes

    def fenced(self, fence: Fence) -> Kube:
        """The same connection, through which nothing is written while the fence is closed."""
        return Kube(self._connection, self._pace, fence)

    def decoded(self, answer: bytes, kind: type[T]) -> T:
        """An object of the device API, as the server has just answered it."""
        return watched.read(answer, kind, self.dialect.version)

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        await self._pace.turn()
        return await self._answer(_Request("GET", path, query=query), _ANSWER_SECONDS)

    async def create(self, path: str, document: Mapping[str, Any]) -> bytes:
        return await self._write(_Request("POST", path, document))

    async def replace(self, path: str, document: Mapping[str, Any]) -> bytes:
        return await self._write(_Request("PUT", path, document))

    async def patch(self, path: str, patch: Any, content_type: str = MERGE_PATCH) -> bytes:
        return await self._write(_Request("PATCH", path, patch, content_type))

    async def apply(self, path: str, document: Mapping[str, Any], manager: str) -> bytes:
        """Server-side: the fields of the document become this manager's, also where another has them."""
        query = {"fieldManager": manager, "force": "true"}
        return await self._write(_Request("PATCH", path, document, APPLY_PATCH, query))

    async def delete(self, path: str, uid: str, resource_version: str) -> None:
        """Only if it is still this object at this version."""
        preconditions = {"uid": uid, "resourceVersion": resource_version}
        document = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
        await self._write(_Request("DELETE", path, document))

    async def served(self, versions: Sequence[Kind[T]]) -> Kind[T] | None:
        """The first of these that the server has, by its own discovery; waits until it answers."""
        return await following.first_served(self, versions)

    def follow(self, kind: Kind[T]) -> AsyncIterator[Listed[T] | Seen[T] | Gone[T]]:
        """All there is, then every change, for ever."""
        return following.follow(self, kind)

    def follow_while_served(self, kind: Kind[T]) -> AsyncIterator[Listed[T] | Seen[T] | Gone[T]]:
        """The same, until the server has no such kind."""
        return following.follow_while_served(self, kind)

    async def lines(self, path: str, query: Mapping[str, str]) -> AsyncIterator[bytes]:
        """What a watch says, line by line, until it ends."""
        timeout = aiohttp.ClientTimeout(sock_connect=_ANSWER_SECONDS, sock_read=_SILENCE_SECONDS)
        with _mapped(f"watching {path}"):
            async with await self._admitted(_Request("GET", path, query=query), timeout) as response:
                while line := await response.content.readline():
                    yield bytes(line)

    async def _write(self, request: _Request) -> bytes:
        """Begun, and given up, while it is ours to write."""
        await self._pace.turn()
        left = _ANSWER_SECONDS if self._fence is None else self._fence()
        if left <= 0:
            raise NotLeading(f"{request.method} {request.path}: the lease is not ours")
        self._connection.writes += 1
        return await self._answer(request, min(_ANSWER_SECONDS, left))

    async def _answer(self, request: _Request, seconds: float) -> bytes:
        with _mapped(f"{request.method} {request.path}"):
            timeout = aiohttp.ClientTimeout(total=seconds)
            async with await self._admitted(request, timeout) as response:
                return bytes(await response.read())

    async def _admitted(self, request: _Request, limit: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        """The answer, if it is no refusal; asked once more with fresh credentials if these are not known."""
        api = self._connection.api
        try:
            return await _accepted(await _send(api, request, limit))
        except ApiUnauthorized:
            await self._connection.renew(api)
            return await _accepted(await _send(self._connection.api, request, limit))


async def _send(
    api: client.ApiClient, request: _Request, limit: aiohttp.ClientTimeout
) -> aiohttp.ClientResponse:
    headers = {"Accept": "application/json", "Content-Type": request.content_type, **telemetry.headers()}
    with metrics.requesting(request.method, request.path, request.query) as answered:
        found: aiohttp.ClientResponse = await api.call_api(
            request.path,
            request.method,
            query_params=list((request.query or {}).items()),
            header_params=headers,
            body=request.body,
            response_types_map={},
            auth_settings=["BearerToken"],
            _return_http_data_only=True,
            _preload_content=False,
            _request_timeout=limit,
        )
        answered(found.status)
    return found


async def _accepted(response: aiohttp.ClientResponse) -> aiohttp.ClientResponse:
    """Raise what an error answer means."""
    if response.status < 300:
        return response
    async with response:
        body = await response.read()
        wish = response.headers.get("Retry-After", "")
        raise refusal(response.status, response.reason or "", body, wish)


@contextmanager
def _mapped(attempt: str) -> Iterator[None]:
    try:
        yield
    except (aiohttp.ClientError, TimeoutError, OSError, ApiException) as error:
        raise ApiUnavailable(f"{attempt}: {str(error) or type(error).__name__}") from error
    except (ValueError, RuntimeError) as error:
        # aiohttp: a line longer than it would read; the session was closed under us, for one with fresh
        # credentials
        raise ApiUnavailable(f"{attempt}: {error}") from error


@asynccontextmanager
async def connected(
    kubeconfig: str, context: str, requests_a_second: float = 0.0, burst: int = 1
) -> AsyncIterator[Kube]:
    """The API of this kubeconfig, or, without one, of the cluster we run in. Raises `BadSettings`."""
    credentials = Credentials(kubeconfig, context)
    connection = _Connection(credentials, await credentials.client())
    try:
        yield Kube(connection, Pace(requests_a_second, burst))
    finally:
        await connection.close()
