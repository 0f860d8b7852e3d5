"""Who leads, by a Lease of `coordination.k8s.io`: what to do next about it. Pure.

The times in a lease are for people: the clocks of two machines differ, so a lease has run out when it
has not changed for its whole duration *by the clock of the one who watches it*.
"""

from __future__ import annotations

from typing import ClassVar, assert_never

import msgspec

from slicewire.common.model import ObjectMeta
from slicewire.common.model.struct import Object


class LeaseSpec(Object, frozen=True):
    holder_identity: str = ""
    lease_duration_seconds: int = 0
    acquire_time: str = ""
    renew_time: str = ""
    lease_transitions: int = 0


class Lease(Object, frozen=True):
    API_VERSION: ClassVar[str] = "coordination.k8s.io/v1"
    KIND: ClassVar[str] = "Lease"

    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: LeaseSpec = msgspec.field(default_factory=LeaseSpec)


class Candidate(msgspec.Struct, frozen=True):
    """One who would lead. `identity` is that of one process: a restarted one is another candidate."""

    identity: str
    seconds: int


class Create(msgspec.Struct, frozen=True):
    """There is no lease yet."""


class Take(msgspec.Struct, frozen=True):
    """It is nobody's any more, or ours: write ourselves in, if it is still this version."""


class Wait(msgspec.Struct, frozen=True):
    """It is another's."""

    holder: str


Step = Create | Take | Wait


def next_step(lease: Lease | None, candidate: Candidate, unchanged_seconds: float) -> Step:
    """`unchanged_seconds`: how long the candidate has seen the lease at this version."""
    if lease is None:
        return Create()
    holder = lease.spec.holder_identity
    if not holder or holder == candidate.identity:
        return Take()
    seconds = lease.spec.lease_duration_seconds or candidate.seconds
    return Take() if unchanged_seconds >= seconds else Wait(holder)


def held(step: Create | Take, lease: Lease | None, candidate: Candidate, now: str, meta: ObjectMeta) -> Lease:
    """The lease with the candidate as its holder. `meta` is that of a lease to create."""
    match step:
        case Create():
            spec = LeaseSpec(acquire_time=now)
            return Lease(metadata=meta, spec=_renewed(spec, candidate, now))
        case Take():
            assert lease is not None, "only what is there can be taken"
            spec = lease.spec
            if spec.holder_identity != candidate.identity:
                transitions = spec.lease_transitions + 1
                spec = msgspec.structs.replace(spec, acquire_time=now, lease_transitions=transitions)
            return msgspec.structs.replace(lease, spec=_renewed(spec, candidate, now))
        case never:
            assert_never(never)


def resigned(lease: Lease, candidate: Candidate) -> Lease | None:
    """The lease without a holder, for the next to take at once; None where it is not the candidate's."""
    if lease.spec.holder_identity != candidate.identity:
        return None
    spec = msgspec.structs.replace(lease.spec, holder_identity="", lease_duration_seconds=1)
    return msgspec.structs.replace(lease, spec=spec)


def _renewed(spec: LeaseSpec, candidate: Candidate, now: str) -> LeaseSpec:
    return msgspec.structs.replace(
        spec,
        holder_identity=candidate.identity,
        lease_duration_seconds=candidate.seconds,
        renew_time=now,
    )


def margin_seconds(candidate: Candidate) -> float:
    """For how long after a renewal was *asked for* its holder may write: two thirds of the lease. The last
    third is for what is on its way, and for clocks that do not run alike."""
    return candidate.seconds * 2 / 3


def pace_seconds(candidate: Candidate) -> float:
    """Between two looks at the lease: a renewal may fail twice before the margin is used up."""
    return candidate.seconds / 5
