"""Whose trace a write belongs to, and for which pods all of it happens."""

from __future__ import annotations

from typing import Any

from slicewire.common import telemetry
from slicewire.common.bus.port import Heard
from slicewire.common.messages import CLAIMS, Fact
from slicewire.common.model import ClaimUID, ResourceClaim, TraceParent
from slicewire.publisher.cluster import Cluster
from slicewire.publisher.keys import FactKey

_MOST_PODS = 8
"""Of a claim that hundreds of pods share, the first few say enough."""


def of_claim(claim: ResourceClaim, cluster: Cluster) -> dict[str, str]:
    """The trace of the allocator's answer; before there is one, what begins here is a trace of its own."""
    answer = cluster.answers.get(claim.uid)
    return telemetry.bearing(answer[1] if answer else {}, pod_uid=pods_of(claim, cluster))


class Begun:
    """The traces of claims that were told: a claim may be told several times before it is answered, and by
    several publishers, of whom each goes on where the one before it stopped."""

    def __init__(self) -> None:
        self._by_claim: dict[ClaimUID, TraceParent] = {}

    def of(self, key: FactKey, cluster: Cluster) -> dict[str, str]:
        """All that is told of one claim is one trace; of anything else, each time a new one."""
        claim = cluster.claims.get(ClaimUID(key.name)) if key.kind == CLAIMS.kind else None
        if claim is None:
            return {}
        found = of_claim(claim, cluster)
        begun = self._by_claim.get(claim.uid)
        return {"traceparent": begun, **found} if begun else found

    def hear(self, heard: Heard[Any]) -> None:
        """As the stream has it: told by us, or by who was here before."""
        trace = TraceParent(heard.headers.get("traceparent", ""))
        self.keep(FactKey(heard.channel.kind, heard.key[0]), heard.fact, trace)

    def keep(self, key: FactKey, fact: Fact | None, trace: TraceParent) -> None:
        if key.kind != CLAIMS.kind:
            return
        if fact is None:
            self._by_claim.pop(ClaimUID(key.name), None)
        elif trace:
            self._by_claim.setdefault(ClaimUID(key.name), trace)


def pods_of(claim: ResourceClaim, cluster: Cluster) -> tuple[str, ...]:
    """UIDs of the pod it was made for, and of the first that wait for it or have reserved it."""
    owners = [owner.uid for owner in claim.metadata.owner_references if owner.kind == "Pod"]
    waiting = [pod.metadata.uid for pod in cluster.waiting.gated_pods(claim)]
    reserved = [consumer.uid for consumer in claim.status.reserved_for if consumer.resource == "pods"]
    return tuple(dict.fromkeys((*owners, *waiting, *reserved)))[:_MOST_PODS]
