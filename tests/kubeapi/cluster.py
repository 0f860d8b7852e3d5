"""A cluster to hold a contract test against: the small API, or the one that KUBECONFIG names.

Speaks plain HTTP, so that a test shows the protocol and not a client library. What a test creates
carries a prefix of its own and is deleted after it.
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import tempfile
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from tests.kubeapi.server import KubeApi, serving

RESOURCES = "/apis/resource.k8s.io/v1"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"
_LONGEST_LINE = 4 * 1024 * 1024


@dataclass(frozen=True)
class Answer:
    code: int
    body: dict[str, Any]

    @property
    def reason(self) -> str:
        return str(self.body.get("reason", ""))

    @property
    def version(self) -> str:
        return str(self.body["metadata"]["resourceVersion"])

    @property
    def fields(self) -> set[str]:
        """The fields a refusal complains about."""
        return {cause["field"] for cause in self.body.get("details", {}).get("causes", ())}


class Cluster:
    """A session with a cluster, a namespace of its own and a prefix for what has no namespace."""

    def __init__(self, session: aiohttp.ClientSession, small: KubeApi | None) -> None:
        self._session = session
        self.small = small
        self.prefix = f"contract-{uuid.uuid4().hex[:8]}"
        self.driver = f"{self.prefix}.example.com"
        self.slices = f"{RESOURCES}/resourceslices"
        self.classes = f"{RESOURCES}/deviceclasses"
        self.claims = f"{RESOURCES}/namespaces/{self.prefix}/resourceclaims"
        self.templates = f"{RESOURCES}/namespaces/{self.prefix}/resourceclaimtemplates"
        self.config_maps = f"/api/v1/namespaces/{self.prefix}/configmaps"
        self.taint_rules = "/apis/resource.k8s.io/v1beta2/devicetaintrules"
        self._collections = (self.slices, self.classes, self.taint_rules)

    def named(self, name: str) -> str:
        return f"{self.prefix}-{name}"

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        media: str = "application/json",
        **query: str | int,
    ) -> Answer:
        data = None if body is None else json.dumps(body)
        headers = {} if body is None else {"Content-Type": media}
        async with self._session.request(method, path, data=data, headers=headers, params=query) as response:
            return Answer(response.status, await response.json(content_type=None))

    async def create(self, path: str, body: Mapping[str, Any], **query: str) -> Answer:
        """Create what must be creatable."""
        answer = await self.ask("POST", path, body, **query)
        assert answer.code == 201, answer.body
        return answer

    @asynccontextmanager
    async def watch(self, path: str, **query: str | int) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """The events of a watch, which ends with the block."""
        async with self._session.get(path, params={"watch": "true", **query}) as response:
            assert response.status == 200, await response.text()
            yield _lines(response)

    async def __aenter__(self) -> Cluster:
        await self.create("/api/v1/namespaces", {"metadata": {"name": self.prefix}})
        return self

    async def __aexit__(self, *_error: object) -> None:
        for collection in self._collections:
            listed = await self.ask("GET", collection)
            for item in listed.body.get("items", ()):
                if item["metadata"]["name"].startswith(self.prefix):
                    await self.ask("DELETE", f"{collection}/{item['metadata']['name']}")
        claims = await self.ask("GET", self.claims)
        for item in claims.body["items"]:
            freed = {"metadata": {"finalizers": None}}
            await self.ask("PATCH", f"{self.claims}/{item['metadata']['name']}", freed, media=MERGE)
        await self.ask("DELETE", f"/api/v1/namespaces/{self.prefix}")


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    async for line in response.content:
        yield json.loads(line)


@asynccontextmanager
async def a_cluster() -> AsyncIterator[Cluster]:
    """The small API, or the real one where KUBECONFIG says so."""
    if kubeconfig := os.environ.get("KUBECONFIG"):
        access = _read_kubeconfig(Path(kubeconfig))
        async with _session(access) as session, Cluster(session, None) as cluster:
            yield cluster
        return
    async with serving() as api, _session(_Access(api.url)) as session, Cluster(session, api) as cluster:
        yield cluster


@dataclass(frozen=True)
class _Access:
    url: str
    tls: ssl.SSLContext | bool = True
    token: str = ""


def _session(access: _Access) -> aiohttp.ClientSession:
    headers = {"Authorization": f"Bearer {access.token}"} if access.token else {}
    connector = aiohttp.TCPConnector(ssl=access.tls)
    return aiohttp.ClientSession(access.url, headers=headers, connector=connector, read_bufsize=_LONGEST_LINE)


def _read_kubeconfig(path: Path) -> _Access:
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    named = {
        kind: {each["name"]: each for each in config[kind]} for kind in ("clusters", "users", "contexts")
    }
    context = named["contexts"][config["current-context"]]["context"]
    cluster = named["clusters"][context["cluster"]]["cluster"]
    user = named["users"][context["user"]]["user"]
    tls: ssl.SSLContext | bool = True
    if cluster["server"].startswith("https"):
        tls = _tls(cluster, user)
    return _Access(cluster["server"], tls, user.get("token", ""))


def _tls(cluster: Mapping[str, Any], user: Mapping[str, Any]) -> ssl.SSLContext:
    authority = _content(cluster, "certificate-authority")
    context = ssl.create_default_context(cadata=authority.decode() if authority else None)
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    certificate, key = _content(user, "client-certificate"), _content(user, "client-key")
    if certificate and key:
        with tempfile.NamedTemporaryFile() as file:
            file.write(certificate + b"\n" + key)
            file.flush()
            context.load_cert_chain(file.name)
    return context


def _content(holder: Mapping[str, Any], name: str) -> bytes:
    """A file named in a kubeconfig, or what is written there in its place."""
    if inline := holder.get(f"{name}-data"):
        return base64.b64decode(inline)
    return Path(holder[name]).read_bytes() if name in holder else b""
