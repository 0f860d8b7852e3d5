"""What became of a claim on its node, into Kubernetes: `status.devices`, and classes for what there is.

Needs of Kubernetes 1.36 the permission `arbitrary-node:patch` on `resourceclaims/driver`; without it the
claim goes on all the same, and the refusal is told.
"""

from __future__ import annotations

from slicewire.common import telemetry
from slicewire.common.logs import Log
from slicewire.common.messages import ClaimPrepared
from slicewire.common.model import ClaimUID, DeviceClass, DriverName, ResourceClaim, wire
from slicewire.publisher import traces
from slicewire.publisher.apifaults import ApiConflict
from slicewire.publisher.cluster import Cluster
from slicewire.publisher.core.devicestatus import Readiness, entries, shown
from slicewire.publisher.core.versions import GROUP, written
from slicewire.publisher.kube import Kube
from slicewire.publisher.moments import utc_now

MANAGER = "slicewire"
_log = Log("publisher.reporting")


class Reporting:
    def __init__(self, api: Kube, cluster: Cluster) -> None:
        self._api = api
        self._cluster = cluster

    async def report(self, uid: ClaimUID) -> None:
        """Make the claim's entries what node-prep told. Raises the faults of `kube`."""
        claim = self._cluster.claims.get(uid)
        if claim is None or claim.status.allocation is None or claim.metadata.deletion_timestamp is not None:
            return  # what was told of a device goes with its allocation, by the server's own hand
        told = self._readiness(claim)
        now = utc_now().strftime("%Y-%m-%dT%H:%M:%SZ")
        wanted = entries(claim, told, now)
        if _by_device(wanted) == _by_device(shown(claim, self._cluster.drivers)):
            return
        meta = claim.metadata
        path = self._api.dialect.path("namespaces", meta.namespace, "resourceclaims", meta.name, "status")
        document = {
            "apiVersion": f"{GROUP}/{self._api.dialect.version}",
            "kind": "ResourceClaim",
            "metadata": {"name": meta.name, "namespace": meta.namespace, "uid": meta.uid},
            "status": {"devices": list(wanted)},
        }
        with telemetry.span(
            "write device status", parent=traces.of_claim(claim, self._cluster), claim_uid=uid
        ):
            answer = await self._api.apply(path, document, MANAGER)
        self._cluster.waiting.keep_claim(self._api.decoded(answer, ResourceClaim))
        _log.info("device status written", claim=claim.label, claim_uid=uid)

    def _readiness(self, claim: ResourceClaim) -> Readiness | None:
        """Of the nodes that told, one that failed has the last word."""
        told = self._cluster.prepared.get(claim.uid, {})
        if not told:
            return None
        worst = next((fact for fact in told.values() if fact.error), None)
        if worst is not None:
            return Readiness(drivers=self._drivers(worst), error=worst.error)
        facts = tuple(told.values())
        return Readiness(
            drivers={driver for fact in facts for driver in self._drivers(fact)},
            prepared={(device.pool, device.device) for fact in facts for device in fact.devices},
        )

    def _drivers(self, fact: ClaimPrepared) -> set[DriverName]:
        return {key.driver for key in self._cluster.pools_of(fact.node)}

    async def create_class(self, name: str) -> None:
        """Unless there is one: what an admin made of it is the admin's."""
        wanted: DeviceClass | None = self._cluster.wanted_classes.get(name)
        if wanted is None or name in self._cluster.classes:
            return
        document = written(wire.document(wanted), self._api.dialect)
        try:
            await self._api.create(self._api.dialect.path("deviceclasses"), document)
        except ApiConflict:
            return  # somebody was quicker
        _log.info("device class created", name=name)


def _by_device(found: tuple[object, ...]) -> list[bytes]:
    return sorted(wire.encode(each) for each in found)
