"""What this node has been told: the devices of its pool, and which claim holds which of them.

A value with successors; it says nothing about what has been prepared (checkpoint.py does).
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from slicewire.common.model import (
    ClaimName,
    ClaimUID,
    Device,
    DeviceAllocationConfiguration,
    DeviceName,
    DeviceRequestAllocationResult,
    DriverName,
    Namespace,
    NodeName,
    PoolName,
    TraceParent,
)
from slicewire.common.model.struct import Object

_LONGEST = 253
"""Of a name in Kubernetes. What is longer comes from somebody who does not follow its rules."""


def short(name: str) -> str:
    """As it may be repeated to whoever gave it, and in the log."""
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


class Claim(Object, frozen=True):
    """Which claim. Namespace and name may be empty where only the UID is known."""

    uid: ClaimUID
    namespace: Namespace = Namespace("")
    name: ClaimName = ClaimName("")

    def __str__(self) -> str:
        return f"{self.label} ({short(self.uid)})"

    @property
    def label(self) -> str:
        """`namespace/name`, as people say it."""
        return f"{short(self.namespace)}/{short(self.name)}"

    def is_named_like(self, other: Claim) -> bool:
        return bool(self.name) and (self.namespace, self.name) == (other.namespace, other.name)


class Allocation(msgspec.Struct, frozen=True):
    """What a claim holds of this node's pool."""

    claim: Claim
    results: tuple[DeviceRequestAllocationResult, ...]
    config: tuple[DeviceAllocationConfiguration, ...] = ()
    trace: TraceParent = TraceParent("")
    pod_claim_name: str = ""
    """What the pod calls a claim that was made for it from a template; empty for any other."""
    pod_uids: tuple[str, ...] = ()
    """For whose pods it is, as far as that is known."""


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """`allocations` is None until the ledger has been heard: then nothing is known to be released."""

    name: NodeName
    driver: DriverName
    pool: PoolName | None = None
    devices: Mapping[DeviceName, Device] = msgspec.field(default_factory=dict)
    unreadable: Mapping[str, str] = msgspec.field(default_factory=dict)
    """What could not be read on this node, and why."""
    allocations: Mapping[ClaimUID, Allocation] | None = None
    rivals: Mapping[DeviceName, tuple[Claim, ...]] = msgspec.field(default_factory=dict)
    """Claims found on one exclusive device; the first keeps it."""

    def allocation(self, uid: ClaimUID) -> Allocation | None:
        return (self.allocations or {}).get(uid)

    def named_like(self, claim: Claim) -> Allocation | None:
        """Another claim's allocation under the same name: this one was replaced."""
        return next(
            (
                held
                for uid, held in (self.allocations or {}).items()
                if uid != claim.uid and held.claim.is_named_like(claim)
            ),
            None,
        )

    def has_released(self, uid: ClaimUID) -> bool:
        return self.allocations is not None and uid not in self.allocations
