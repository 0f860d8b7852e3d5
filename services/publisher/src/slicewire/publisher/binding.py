"""Answers out: the allocation of a gated pod's claims into their status, then the gate goes."""

from __future__ import annotations

from typing import assert_never

from slicewire.common import telemetry
from slicewire.common.logs import Log
from slicewire.common.messages import ALLOCATION_LABEL
from slicewire.common.model import AllocationResult, ResourceClaim, wire
from slicewire.publisher import traces
from slicewire.publisher.cluster import Cluster
from slicewire.publisher.core.gangs import GangKey, gang_of, is_complete
from slicewire.publisher.core.pods import AddFinalizer, LiftGate, Pod, Step, WriteStatus, next_steps
from slicewire.publisher.facts import is_ours, to_be_written
from slicewire.publisher.keys import PodKey
from slicewire.publisher.kube import JSON_PATCH, Kube

_log = Log("publisher.binding")


class Binding:
    def __init__(self, api: Kube, cluster: Cluster) -> None:
        self._api = api
        self._cluster = cluster

    async def bind(self, key: PodKey) -> None:
        """Take the pod as far as it can go now. Raises the faults of `kube`."""
        while (pod := self._cluster.waiting.pod(key)) is not None:
            claims = self._cluster.waiting.claims_of(pod)
            if claims is None or not self._gang_is_served(pod):
                return
            ours = {c.uid: found for c in claims if (found := self._allocation(c)) is not None}
            steps = next_steps(pod, claims, ours, ALLOCATION_LABEL)
            if isinstance(steps[-1] if steps else None, LiftGate) and not self._gang_is_written(pod):
                return
            for step in steps:
                await self._take(step)
            if not steps or isinstance(steps[-1], LiftGate):
                return

    def _gang_is_served(self, pod: Pod) -> bool:
        """Nothing is written of a gang before there are devices for all of it. One that is no longer whole
        was served once, if this pod has everything: the others have gone on already."""
        gang, others = self._gang(pod)
        if gang is None:
            return True
        if not is_complete(others):
            return all(claim.status.allocation for claim in self._cluster.waiting.claims_of(pod) or ())
        claims = [self._cluster.waiting.claims_of(other) for other in others]
        return all(
            found is not None and all(each.status.allocation or self._allocation(each) for each in found)
            for found in claims
        )

    def _gang_is_written(self, pod: Pod) -> bool:
        """No pod of a gang goes on before all claims of all of them are written."""
        gang, others = self._gang(pod)
        if gang is None or not is_complete(others):
            return True
        return all(
            claim.status.allocation
            for other in others
            for claim in self._cluster.waiting.claims_of(other) or ()
        )

    def _gang(self, pod: Pod) -> tuple[GangKey | None, tuple[Pod, ...]]:
        gang = gang_of(pod)
        return gang, () if gang is None else self._cluster.waiting.gang(gang)

    def _allocation(self, claim: ResourceClaim) -> AllocationResult | None:
        """Ours, written already or to be written."""
        if is_ours(claim, self._cluster):
            return claim.status.allocation
        return None if claim.status.allocation else to_be_written(claim, self._cluster)

    async def _take(self, step: Step) -> None:
        match step:
            case AddFinalizer(claim, finalizers):
                await self._add_finalizer(claim, finalizers)
            case WriteStatus():
                await self._write_status(step)
            case LiftGate():
                await self._lift_gate(step)
            case never:
                assert_never(never)

    async def _add_finalizer(self, claim: ResourceClaim, finalizers: tuple[str, ...]) -> None:
        version = claim.metadata.resource_version
        patch = {"metadata": {"resourceVersion": version, "finalizers": list(finalizers)}}
        with telemetry.span("protect claim", parent=self._trace(claim), claim_uid=claim.uid):
            answer = await self._api.patch(self._path(claim), patch)
        self._cluster.waiting.keep_claim(self._api.decoded(answer, ResourceClaim))

    async def _write_status(self, step: WriteStatus) -> None:
        claim = step.claim
        status = {
            "allocation": wire.to_builtins(step.allocation),
            "reservedFor": wire.to_builtins(step.reserved_for),
        }
        patch = {"metadata": {"resourceVersion": claim.metadata.resource_version}, "status": status}
        with telemetry.span("write claim status", parent=self._trace(claim), claim_uid=claim.uid):
            answer = await self._api.patch(f"{self._path(claim)}/status", patch)
        self._cluster.waiting.keep_claim(self._api.decoded(answer, ResourceClaim))
        _log.info("claim status written", claim=claim.label, claim_uid=claim.uid)

    async def _lift_gate(self, step: LiftGate) -> None:
        pod = step.pod
        patch = [
            {"op": "test", "path": "/metadata/uid", "value": pod.metadata.uid},
            {
                "op": "test",
                "path": "/spec/schedulingGates",
                "value": wire.to_builtins(pod.spec.scheduling_gates),
            },
            {"op": "replace", "path": "/spec/schedulingGates", "value": wire.to_builtins(step.remaining)},
        ]
        claims = self._cluster.waiting.claims_of(pod) or ()
        parent = self._trace(claims[0]) if claims else {}
        with telemetry.span("lift gate", parent=parent, pod=_name(pod), pod_uid=pod.metadata.uid):
            answer = await self._api.patch(
                f"/api/v1/namespaces/{pod.metadata.namespace}/pods/{pod.metadata.name}", patch, JSON_PATCH
            )
        self._cluster.waiting.keep_pod(wire.decode(answer, Pod))
        _log.info("gate lifted", pod=_name(pod), pod_uid=pod.metadata.uid)

    def _path(self, claim: ResourceClaim) -> str:
        meta = claim.metadata
        return self._api.dialect.path("namespaces", meta.namespace, "resourceclaims", meta.name)

    def _trace(self, claim: ResourceClaim) -> dict[str, str]:
        return traces.of_claim(claim, self._cluster)


def _name(pod: Pod) -> str:
    return f"{pod.metadata.namespace}/{pod.metadata.name}"
