"""What was heard of a claim, as Events on it and on its pods: refused, allocated, prepared, failed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from slicewire.common.bus.port import Heard
from slicewire.common.messages import ANSWERS, PREPARED, ClaimAnswered, ClaimPrepared
from slicewire.common.model import ClaimUID, ResourceClaim
from slicewire.publisher.cluster import Cluster
from slicewire.publisher.core.occurrences import (
    Occurrence,
    Regarding,
    about_claim,
    about_pod,
    about_users,
    everywhere,
    names,
)


def occurrences(heard: Heard[Any], cluster: Cluster, version: str) -> Iterator[Occurrence]:
    """None of claims that Kubernetes does not have, and of facts that say nothing new to people."""
    match heard.channel.kind, heard.fact:
        case ANSWERS.kind, ClaimAnswered() as answer:
            claim = cluster.claims.get(ClaimUID(heard.key[0]))
            if claim is not None and claim.status.allocation is None:
                about = (about_claim(claim, version), *map(about_pod, cluster.waiting.gated_pods(claim)))
                yield from everywhere(about, _answered(answer, about[0]))
        case PREPARED.kind, ClaimPrepared() as prepared:
            claim = cluster.claims.get(prepared.claim.uid)
            if claim is not None:
                yield from everywhere(_users(claim, version), _prepared(prepared, claim, version))


def _users(claim: ResourceClaim, version: str) -> tuple[Regarding, ...]:
    return (about_claim(claim, version), *about_users(claim))


def _answered(answer: ClaimAnswered, about: Regarding) -> Occurrence:
    if answer.allocation is not None:
        note = f"{answer.claim.label} gets {names(answer.allocation)}"
        return Occurrence(about, "DevicesAllocated", note)
    reason = answer.refusal.message if answer.refusal is not None else "no reason was told"
    return Occurrence(about, "DevicesRefused", reason, "Warning")


def _prepared(told: ClaimPrepared, claim: ResourceClaim, version: str) -> Occurrence:
    about = about_claim(claim, version)
    if told.error:
        note = f"on {told.node}: {told.error}"
        return Occurrence(about, "DevicesNotPrepared", note, "Warning", "Prepare")
    devices = ", ".join(f"{each.pool}/{each.device}" for each in told.devices) or "no devices"
    return Occurrence(about, "DevicesPrepared", f"{devices} usable on {told.node}", "Normal", "Prepare")
