"""What is asked, and how it is answered. A question that is declined has no reply: see the bus' port."""

from __future__ import annotations

from slicewire.common.messages.facts import ClaimAnswered, ClaimPrepared, ClaimRef
from slicewire.common.model import Change, DriverName, NodeName, ResourceClaim
from slicewire.common.model.census import ClassCapacity, PoolStatus
from slicewire.common.model.struct import Object


class Moment(Object, frozen=True):
    """An event of the history, when it was told, and what is not known of that time.

    What is said as of it held right after it. Each gap is a sentence; none means that all is known.
    """

    event: int
    time: str = ""
    gaps: tuple[str, ...] = ()


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
    """Why does this claim wait, or what would it get? A known claim by reference, or any claim whole.

    `at` is an event of the history, to be told what was so right after it; without it: now.
    """

    claim: ClaimRef | None = None
    document: ResourceClaim | None = None
    at: int | None = None


class ExplainReply(Object, frozen=True):
    """`held` tells a claim that has its devices from one that only would get them.

    For a refusal: `nearest` is how near the nearest node comes, and `change` the cheapest change with
    which the claim really fits, if any single one does. `as_of` is the moment that was asked about.
    """

    answer: ClaimAnswered
    held: bool = False
    nearest: str = ""
    change: Change | None = None
    as_of: Moment | None = None


class WhatIfRequest(Object, frozen=True):
    """Would these claims fit together on one node, after these others were released?

    `at` is an event of the history, to be told what was so right after it; without it: now.
    """

    claims: tuple[ResourceClaim, ...]
    releasing: tuple[ClaimRef, ...] = ()
    at: int | None = None


class WhatIfReply(Object, frozen=True):
    """What each claim would be answered. Nothing was changed. `as_of` is the moment that was asked about."""

    answers: tuple[ClaimAnswered, ...]
    as_of: Moment | None = None


class CapacityRequest(Object, frozen=True):
    """How much is free and placeable? Of one class, on one node; empty means every one.

    `at` is an event of the history, to be told what was so right after it; without it: now.
    """

    device_class: str = ""
    node: NodeName = NodeName("")
    at: int | None = None


class CapacityReply(Object, frozen=True):
    classes: tuple[ClassCapacity, ...]
    pools: tuple[PoolStatus, ...]
    as_of: Moment | None = None


class PrepareRequest(Object, frozen=True):
    """Make the claim's devices on this node usable, or unusable again."""

    claim: ClaimRef


class PrepareReply(Object, frozen=True):
    prepared: ClaimPrepared


class UnprepareReply(Object, frozen=True):
    claim: ClaimRef
    error: str = ""


class AliveRequest(Object, frozen=True):
    """Is the agent of this pool there, and does it still look?"""


class AliveReply(Object, frozen=True):
    """It is: `generation` is what it told last. One that has not looked for too long declines."""

    node: NodeName
    driver: DriverName
    generation: int
