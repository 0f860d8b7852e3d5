"""The door to a claim in Kubernetes: one GET, asked only where the operator gave credentials for it.

By default a node holds none (ADR 6) and this is never opened. It writes nothing, watches nothing, and
knows two ways to be let in: the pod's service account, and a kubeconfig with certificates or a token.
"""

from __future__ import annotations

import asyncio
from http.client import HTTPException, HTTPSConnection
from urllib.parse import quote

from slicewire.common.model import DriverName, ResourceClaim, wire
from slicewire.node_prep.core.claim import held
from slicewire.node_prep.core.node import Allocation, Claim
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from slicewire.node_prep.credentials import Credentials, credentials

_SECONDS = 5.0
_OK, _NOT_FOUND = 200, 404


class Kubernetes:
    def __init__(self, api: Credentials, driver: DriverName) -> None:
        self._api = api
        self._driver = driver

    async def read(self, claim: Claim) -> Allocation | PrepareRefusal:
        try:
            status, body = await asyncio.to_thread(self._get, _path(claim))
        except (OSError, HTTPException) as error:
            return _away(claim, str(error) or type(error).__name__)
        if status == _NOT_FOUND:
            return PrepareRefusal(Why.UNKNOWN_CLAIM, f"claim {claim} does not exist in Kubernetes")
        if status != _OK:
            return _away(claim, f"it answers {status}: {body[:200].decode(errors='replace')}")
        try:
            found = wire.decode(body, ResourceClaim)
        except wire.Malformed as error:
            return _away(claim, f"its answer cannot be read: {error}")
        return held(claim, found, self._driver)

    def _get(self, path: str) -> tuple[int, bytes]:
        """A connection for each question: there are few, and none is kept that may have died."""
        api = self._api
        connection = HTTPSConnection(api.host, api.port, timeout=_SECONDS, context=api.tls())
        try:
            connection.request(
                "GET", api.prefix + path, headers={"Accept": "application/json", **api.bearer()}
            )
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def source(kubeconfig: str, driver: DriverName) -> Kubernetes | None:
    """None where no credentials are given. Raises `BadSettings` for some that cannot be used."""
    return Kubernetes(credentials(kubeconfig), driver) if kubeconfig else None


def _path(claim: Claim) -> str:
    namespace, name = quote(claim.namespace, safe=""), quote(claim.name, safe="")
    return f"/apis/resource.k8s.io/v1/namespaces/{namespace}/resourceclaims/{name}"


def _away(claim: Claim, reason: str) -> PrepareRefusal:
    return PrepareRefusal(
        Why.BUSY, f"claim {claim}: the bus is away, and Kubernetes cannot be asked either: {reason}"
    )
