"""The small Kubernetes API server: a store behind HTTP, on this machine's loopback only.

    async with serving() as api:
        api.write_kubeconfig(path)

It authorizes everybody, and knows everybody unless a test names the one token that is known. It serves `v1`
of each group, and taint rules in `v1beta2` as 1.36 does with their gate on; `serve_release` makes it an older
release. Objects live as long as their store: give `serving` the same store and port again, and it is the
same cluster after an outage.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from tests.kubeapi.answers import answer, refusal
from tests.kubeapi.discovery import documents
from tests.kubeapi.faults import Call, Drop, Expire, Fault, Faults, LoseAnswer, Refuse, Slow
from tests.kubeapi.kinds import EVERY_TAINT_RULES, KINDS, OTHER_TAINT_RULES, Kind
from tests.kubeapi.older import has_betas
from tests.kubeapi.parameters import read_watching
from tests.kubeapi.releases import Gate, Release
from tests.kubeapi.statuses import Refused, expired, injected, no_such_resource, unauthorized
from tests.kubeapi.store import Store
from tests.kubeapi.targets import Target, read_path
from tests.kubeapi.verbs import VERBS, call_of
from tests.kubeapi.watching import Watches

_LARGEST_BODY = 3 * 1024 * 1024
_REMEMBERED_CALLS = 10_000
_HEALTH = {"/healthz", "/readyz", "/livez"}


class KubeApi:
    """A running API, and what a test may do to it."""

    def __init__(self, store: Store, bookmark_every_seconds: float) -> None:
        self.url = ""
        self.store = store
        self.faults = Faults()
        self.calls: deque[Call] = deque(maxlen=_REMEMBERED_CALLS)
        """What was asked, oldest first."""
        self.watches = Watches(store.history, bookmark_every_seconds)
        self.known_token = ""
        """The one token that is known; empty: everybody is."""
        self._served = set(KINDS)
        self._versions: tuple[str, ...] = ("v1",)
        self._documents = documents(KINDS)

    def serve_release(self, minor: int, *versions: str, off: Iterable[Gate] = ()) -> None:
        """From now on as this release of Kubernetes, with the device API in these versions and gates off."""
        self.store.release = Release(minor, frozenset(off))
        self._versions = versions
        self._tell_served()

    def serve_taint_rules(self, kind: Kind | None) -> None:
        """From now on this version of them and no other, as after an upgrade; None is with the gate off."""
        self._served = (self._served - set(EVERY_TAINT_RULES)) | ({kind} if kind else set())
        self._tell_served()

    def _tell_served(self) -> None:
        served = [each for each in (*KINDS, *OTHER_TAINT_RULES) if each in self._served]
        self._documents = documents(served, self._versions, self.store.release.minor)
        self.watches.cut()

    def write_kubeconfig(self, path: Path) -> Path:
        """A kubeconfig for `kubectl` and every client library."""
        cluster = {"name": "small", "cluster": {"server": self.url}}
        user = {"name": "anyone", "user": {"token": self.known_token or "anyone"}}
        context = {"name": "small", "context": {"cluster": "small", "user": "anyone"}}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [cluster],
            "users": [user],
            "contexts": [context],
            "current-context": "small",
        }
        path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        return path

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer anything; every refusal becomes a Status."""
        try:
            return await self._answer(request)
        except Refused as refused:
            return refusal(refused)
        except web.HTTPRequestEntityTooLarge:
            told = f"Request entity too large: limit is {_LARGEST_BODY}"
            return refusal(Refused(413, "RequestEntityTooLarge", told))

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.path in _HEALTH:
            return web.Response(text="ok")
        if self.known_token and request.headers.get("Authorization") != f"Bearer {self.known_token}":
            raise unauthorized()
        if document := self._documents.get(request.path.rstrip("/")):
            return answer(document)
        target = read_path(request.path)
        if not self._serves(target):
            raise no_such_resource()
        call = call_of(target, request)
        self.calls.append(call)
        fault = self.faults.strike(call)
        await _suffer(fault, call, request)
        response = await self._serve(target, call, request, fault)
        if isinstance(fault, LoseAnswer):
            _hang_up(request)
        return response

    def _serves(self, target: Target) -> bool:
        asked = target.version or target.kind.version
        return target.kind in self._served and (not has_betas(target.kind) or asked in self._versions)

    async def _serve(
        self, target: Target, call: Call, request: web.Request, fault: Fault | None
    ) -> web.StreamResponse:
        if call.verb == "watch":
            return await self.watches.serve(
                request, read_watching(target, request.query), fault, target.version
            )
        return await VERBS[call.verb](self.store, target, request)


async def _suffer(fault: Fault | None, call: Call, request: web.Request) -> None:
    match fault:
        case Slow(seconds):
            await asyncio.sleep(seconds)
        case Refuse(code, retry_after_seconds):
            raise injected(code, retry_after_seconds)
        case Expire() if call.verb != "watch":
            raise expired("The resourceVersion for the provided list is too old.")
        case Drop():
            _hang_up(request)
            raise injected(503, 0)


def _hang_up(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


@asynccontextmanager
async def serving(
    port: int = 0, *, store: Store | None = None, bookmark_every_seconds: float = 60
) -> AsyncIterator[KubeApi]:
    """Serve on 127.0.0.1 until the block ends; port 0 takes any that is free."""
    api = KubeApi(store or Store(), bookmark_every_seconds)
    app = web.Application(client_max_size=_LARGEST_BODY)
    app.router.add_route("*", "/{path:.*}", api.handle)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        host, bound = runner.addresses[0][:2]
        api.url = f"http://{host}:{bound}"
        yield api
    finally:
        api.watches.cut()
        await runner.cleanup()
