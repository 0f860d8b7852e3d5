"""Every message Slicewire sends, and the only place a subject is spelled.

A *fact* is the whole truth about its key: past tense, one author, never a delta. Hearing only the
latest is enough; hearing it twice changes nothing. A fact of `null` says that nothing is under the
key any more. An *endpoint* is a question with an answer. `CATALOGUE` and `ENDPOINTS` list them all;
docs/asyncapi.json is generated from these two.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from slicewire.common.model import (
    AllocationResult,
    Change,
    ClaimName,
    ClaimUID,
    CounterSet,
    Device,
    DeviceAllocationConfiguration,
    DeviceClass,
    DeviceID,
    DeviceName,
    DeviceRequestAllocationResult,
    DriverName,
    Namespace,
    NodeName,
    PoolName,
    ResourceClaim,
    TraceParent,
    Unsatisfiable,
)
from slicewire.common.model.census import ClassCapacity, PoolStatus
from slicewire.common.model.struct import Object

VERSION = "slicewire.v1"
STATE_STREAM = "SLICEWIRE_STATE"
HISTORY_STREAM = "SLICEWIRE_HISTORY"
STATE_SUBJECTS = f"{VERSION}.state.>"

KUBE_SCHEDULER = "kube-scheduler"
"""Allocation mode and origin: kube-scheduler (or another) decides, Slicewire adopts."""
SLICEWIRE = "slicewire"
"""Allocation mode and origin: Slicewire's allocator decides."""
ALLOCATION_LABEL = "slicewire.dev/allocation"
"""Node label with the allocation mode, and the scheduling gate of pods that opt in."""
MANAGED_TAINT = "slicewire.dev/managed"
"""Taint (NoSchedule) on the published devices of managed pools, so that kube-scheduler leaves them alone."""


class BadKey(ValueError):
    """A name that cannot stand in a subject."""


class Fact(Object, frozen=True):
    """What one author says about one key."""


class ClaimRef(Object, frozen=True):
    uid: ClaimUID
    namespace: Namespace = Namespace("")
    name: ClaimName = ClaimName("")

    @property
    def label(self) -> str:
        return f"{self.namespace}/{self.name}"


class Unreadable(Object, frozen=True):
    """A part of the node that could not be read, and why."""

    what: str
    reason: str


class PoolObserved(Fact, frozen=True):
    """The devices of one driver on one node, as they are now, and what could not be read."""

    node: NodeName
    driver: DriverName
    pool: PoolName
    generation: int
    devices: tuple[Device, ...] = ()
    shared_counters: tuple[CounterSet, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()


class NodeObserved(Fact, frozen=True):
    """A node as Kubernetes has it, and who allocates its pools. Without Kubernetes there is none."""

    name: NodeName
    uid: str
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    allocation: str = KUBE_SCHEDULER


class ClassObserved(Fact, frozen=True):
    """A DeviceClass as Kubernetes, or the admin over the bus, has it."""

    device_class: DeviceClass


class ClaimObserved(Fact, frozen=True):
    """A claim as Kubernetes, or the user over the bus, has it, and who decides it.

    `together` names the claims (this one included) that are allocated all or none, on one node;
    empty means this one alone.
    """

    claim: ResourceClaim
    decided_by: str = SLICEWIRE
    together: tuple[ClaimUID, ...] = ()


class LedgerEntry(Object, frozen=True):
    """What one claim holds in this pool. `trace` is the context of the commit that wrote it.

    `confirmed`: Kubernetes has shown this allocation in the claim's status, so that its absence
    there from now on means that it was given back, not that it has yet to be written.
    """

    claim: ClaimRef
    results: tuple[DeviceRequestAllocationResult, ...]
    config: tuple[DeviceAllocationConfiguration, ...] = ()
    origin: str = SLICEWIRE
    confirmed: bool = False
    trace: TraceParent = TraceParent("")


class Conflict(Object, frozen=True):
    """One exclusive device found allocated to several claims. None but the first is ever prepared."""

    device: DeviceID
    claims: tuple[ClaimRef, ...]


class LedgerWritten(Fact, frozen=True):
    """Every allocation in one pool."""

    node: NodeName
    driver: DriverName
    entries: tuple[LedgerEntry, ...] = ()
    conflicts: tuple[Conflict, ...] = ()


class ClaimAnswered(Fact, frozen=True):
    """The devices of a claim, or the reasons why it has none: exactly one of the two is set.

    `claim_sequence` is the claim fact that was answered (0 for one that came over the bus): an
    answer to an older one may be about devices that have been given back since.
    """

    claim: ClaimRef
    claim_sequence: int = 0
    allocation: AllocationResult | None = None
    node: NodeName = NodeName("")
    refusal: Unsatisfiable | None = None


class PreparedDevice(Object, frozen=True):
    request_names: tuple[str, ...]
    pool: PoolName
    device: DeviceName
    cdi_device_ids: tuple[str, ...]
    share_id: str | None = msgspec.field(default=None, name="shareID")


class ClaimPrepared(Fact, frozen=True):
    """The devices of a claim are usable on the node, or `error` says why not."""

    node: NodeName
    claim: ClaimRef
    devices: tuple[PreparedDevice, ...] = ()
    error: str = ""


class AllocateRequest(Object, frozen=True):
    """Allocate these claims, all or none, on one node. A claim that has an answer keeps it."""

    claims: tuple[ResourceClaim, ...]


class AllocateReply(Object, frozen=True):
    answers: tuple[ClaimAnswered, ...]


class ReleaseRequest(Object, frozen=True):
    """Give back what a claim holds, by UID or by namespace and name, and forget the claim."""

    claim: ClaimRef


class ReleaseReply(Object, frozen=True):
    released: ClaimRef


class ExplainRequest(Object, frozen=True):
    """Why does this claim wait, or what would it get? A known claim by reference, or any claim whole."""

    claim: ClaimRef | None = None
    document: ResourceClaim | None = None


class ExplainReply(Object, frozen=True):
    """`held` tells a claim that has its devices from one that only would get them.

    For a refusal: `nearest` is how near the nearest node comes, and `change` the cheapest change with
    which the claim really fits, if any single one does.
    """

    answer: ClaimAnswered
    held: bool = False
    nearest: str = ""
    change: Change | None = None


class WhatIfRequest(Object, frozen=True):
    """Would these claims fit together on one node, after these others were released?"""

    claims: tuple[ResourceClaim, ...]
    releasing: tuple[ClaimRef, ...] = ()


class WhatIfReply(Object, frozen=True):
    """What each claim would be answered. Nothing was changed."""

    answers: tuple[ClaimAnswered, ...]


class CapacityRequest(Object, frozen=True):
    """How much is free and placeable? Of one class, on one node; empty means every one."""

    device_class: str = ""
    node: NodeName = NodeName("")


class CapacityReply(Object, frozen=True):
    classes: tuple[ClassCapacity, ...]
    pools: tuple[PoolStatus, ...]


class PrepareRequest(Object, frozen=True):
    """Make the claim's devices on this node usable, or unusable again."""

    claim: ClaimRef


class PrepareReply(Object, frozen=True):
    prepared: ClaimPrepared


class UnprepareReply(Object, frozen=True):
    claim: ClaimRef
    error: str = ""


F = TypeVar("F", bound=Fact)
Q = TypeVar("Q", bound=Object)
A = TypeVar("A", bound=Object)
_TOKEN = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")


def token(name: str) -> str:
    """A name as one subject token: `.` becomes `_`, which no Kubernetes name holds. Raises `BadKey`."""
    if not _TOKEN.fullmatch(name):
        raise BadKey(f"{name!r} cannot stand in a subject: letters, digits, '-' and single inner '.' only")
    return name.replace(".", "_")


class Channel(msgspec.Struct, Generic[F], frozen=True):
    """Where the facts of one kind are told: `slicewire.v1.state.<kind>.<key…>`."""

    kind: str
    fact: type[F]
    key: Callable[[F], tuple[str, ...]]
    author: str
    key_names: tuple[str, ...]
    prefix: tuple[str, ...] = ()

    def under(self, *prefix: str) -> Channel[F]:
        """The same channel, only the keys that begin so: `LEDGERS.under("node-a")`."""
        return msgspec.structs.replace(self, prefix=prefix)

    def subject(self, *key: str) -> str:
        """The subject of one key. Raises `BadKey`."""
        return ".".join((VERSION, "state", self.kind, *map(token, key)))

    @property
    def pattern(self) -> str:
        """All keys of this channel, as a subscription subject."""
        wild = () if len(self.prefix) == len(self.key_names) else (">",)
        return ".".join((VERSION, "state", self.kind, *map(token, self.prefix), *wild))

    def key_of(self, subject: str) -> tuple[str, ...]:
        """The names in a subject of this channel."""
        return tuple(part.replace("_", ".") for part in subject.split(".")[4:])


class Endpoint(msgspec.Struct, Generic[Q, A], frozen=True):
    """A question and its answer: `slicewire.v1.request.<name>[.<key>]`, served by one of `server`."""

    name: str
    request: type[Q]
    reply: type[A]
    server: str
    key_names: tuple[str, ...] = ()

    def subject(self, *key: str) -> str:
        return ".".join((VERSION, "request", self.name, *map(token, key)))


INVENTORY = Channel("inventory", PoolObserved, lambda f: (f.node, f.driver), "discovery", ("node", "driver"))
NODES = Channel("node", NodeObserved, lambda f: (f.name,), "publisher", ("node",))
CLASSES = Channel("class", ClassObserved, lambda f: (f.device_class.metadata.name,), "publisher", ("class",))
CLAIMS = Channel("claim", ClaimObserved, lambda f: (f.claim.uid,), "publisher", ("claim",))
LEDGERS = Channel("ledger", LedgerWritten, lambda f: (f.node, f.driver), "allocator", ("node", "driver"))
ANSWERS = Channel("answer", ClaimAnswered, lambda f: (f.claim.uid,), "allocator", ("claim",))
PREPARED = Channel("prepared", ClaimPrepared, lambda f: (f.node, f.claim.uid), "node-prep", ("node", "claim"))

CATALOGUE: tuple[Channel[Fact], ...] = (
    INVENTORY,  # type: ignore[assignment]  # a tuple of channels of different facts, read only as Fact
    NODES,
    CLASSES,
    CLAIMS,
    LEDGERS,
    ANSWERS,
    PREPARED,
)

ALLOCATE = Endpoint("allocate", AllocateRequest, AllocateReply, "allocator")
RELEASE = Endpoint("release", ReleaseRequest, ReleaseReply, "allocator")
EXPLAIN = Endpoint("explain", ExplainRequest, ExplainReply, "allocator")
WHATIF = Endpoint("whatif", WhatIfRequest, WhatIfReply, "allocator")
CAPACITY = Endpoint("capacity", CapacityRequest, CapacityReply, "allocator")
PREPARE = Endpoint("prepare", PrepareRequest, PrepareReply, "node-prep", ("node",))
UNPREPARE = Endpoint("unprepare", PrepareRequest, UnprepareReply, "node-prep", ("node",))

ENDPOINTS = (ALLOCATE, RELEASE, EXPLAIN, WHATIF, CAPACITY, PREPARE, UNPREPARE)


def channel_of(subject: str) -> Channel[Fact] | None:
    """The channel a subject belongs to, or None for one this version does not know."""
    parts = subject.split(".")
    known = {channel.kind: channel for channel in CATALOGUE}
    return known.get(parts[3]) if len(parts) > 4 and ".".join(parts[:3]) == f"{VERSION}.state" else None
