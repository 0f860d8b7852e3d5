"""What is told: each fact is the whole truth about its key, by its one author, and never a delta."""

from __future__ import annotations

import msgspec

from slicewire.common.model import (
    AllocationResult,
    ClaimName,
    ClaimUID,
    CounterSet,
    Device,
    DeviceAllocationConfiguration,
    DeviceClass,
    DeviceID,
    DeviceName,
    DeviceRequestAllocationResult,
    DeviceTaintRule,
    DriverName,
    Namespace,
    NodeName,
    PoolName,
    ResourceClaim,
    TraceParent,
    Unsatisfiable,
)
from slicewire.common.model.struct import Object

KUBE_SCHEDULER = "kube-scheduler"
"""Allocation mode and origin: kube-scheduler (or another) decides, Slicewire adopts."""
SLICEWIRE = "slicewire"
"""Allocation mode and origin: Slicewire's allocator decides."""
ALLOCATION_LABEL = "slicewire.dev/allocation"
"""Node label with the allocation mode, and the scheduling gate of pods that opt in."""
MANAGED_TAINT = "slicewire.dev/managed"
"""Taint (NoSchedule) on the published devices of managed pools, so that kube-scheduler leaves them alone."""


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
    """The devices of one driver on one node, as they are now, and what could not be read.

    `answers`: its author can be asked whether it is `alive`; one that never could is not missed.
    """

    node: NodeName
    driver: DriverName
    pool: PoolName
    generation: int
    devices: tuple[Device, ...] = ()
    shared_counters: tuple[CounterSet, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    answers: bool = False


class NodeObserved(Fact, frozen=True):
    """A node as Kubernetes has it, and who allocates its pools. Without Kubernetes there is none.

    `silent`: the drivers whose agents do not answer there, in order. Nobody is given their devices who does
    not tolerate the taint `slicewire.dev/silent`.
    """

    name: NodeName
    uid: str
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    allocation: str = KUBE_SCHEDULER
    silent: tuple[DriverName, ...] = ()


class ClassObserved(Fact, frozen=True):
    """A DeviceClass as Kubernetes, or the admin over the bus, has it."""

    device_class: DeviceClass


class TaintRuleObserved(Fact, frozen=True):
    """A DeviceTaintRule as Kubernetes, or the admin over the bus, has it: its name and what it says."""

    rule: DeviceTaintRule


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
    `pod_claim_name`: what the pod calls a claim that was made for it from a template.
    `pod_uids`: the pods it is for, as far as its trace says so, the first few of many.
    """

    claim: ClaimRef
    results: tuple[DeviceRequestAllocationResult, ...]
    config: tuple[DeviceAllocationConfiguration, ...] = ()
    origin: str = SLICEWIRE
    confirmed: bool = False
    trace: TraceParent = TraceParent("")
    pod_claim_name: str = ""
    pod_uids: tuple[str, ...] = ()


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
