"""Every channel and every endpoint there is, and who tells or answers it."""

from __future__ import annotations

from slicewire.common.messages.channels import VERSION, Channel, Endpoint
from slicewire.common.messages.facts import (
    ClaimAnswered,
    ClaimObserved,
    ClaimPrepared,
    ClassObserved,
    Fact,
    LedgerWritten,
    NodeObserved,
    PoolObserved,
    TaintRuleObserved,
)
from slicewire.common.messages.requests import (
    AliveReply,
    AliveRequest,
    AllocateReply,
    AllocateRequest,
    CapacityReply,
    CapacityRequest,
    ExplainReply,
    ExplainRequest,
    PrepareReply,
    PrepareRequest,
    ReleaseReply,
    ReleaseRequest,
    UnprepareReply,
    WhatIfReply,
    WhatIfRequest,
)

INVENTORY = Channel("inventory", PoolObserved, lambda f: (f.node, f.driver), "discovery", ("node", "driver"))
NODES = Channel("node", NodeObserved, lambda f: (f.name,), "publisher", ("node",))
CLASSES = Channel("class", ClassObserved, lambda f: (f.device_class.metadata.name,), "publisher", ("class",))
TAINT_RULES = Channel(
    "taintrule", TaintRuleObserved, lambda f: (f.rule.metadata.name,), "publisher", ("rule",)
)
CLAIMS = Channel("claim", ClaimObserved, lambda f: (f.claim.uid,), "publisher", ("claim",))
LEDGERS = Channel("ledger", LedgerWritten, lambda f: (f.node, f.driver), "allocator", ("node", "driver"))
ANSWERS = Channel("answer", ClaimAnswered, lambda f: (f.claim.uid,), "allocator", ("claim",))
PREPARED = Channel("prepared", ClaimPrepared, lambda f: (f.node, f.claim.uid), "node-prep", ("node", "claim"))

CATALOGUE: tuple[Channel[Fact], ...] = (
    INVENTORY,  # type: ignore[assignment]  # a tuple of channels of different facts, read only as Fact
    NODES,
    CLASSES,
    TAINT_RULES,
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
ALIVE = Endpoint("alive", AliveRequest, AliveReply, "discovery", ("node", "driver"), is_traced=False)

ENDPOINTS = (ALLOCATE, RELEASE, EXPLAIN, WHATIF, CAPACITY, PREPARE, UNPREPARE, ALIVE)


_STATE = f"{VERSION}.state."
_KNOWN = {channel.kind: channel for channel in CATALOGUE}


def channel_of(subject: str) -> Channel[Fact] | None:
    """The channel a subject belongs to, or None for one this version does not know."""
    if not subject.startswith(_STATE):
        return None
    kind, dot, _ = subject[len(_STATE) :].partition(".")
    return _KNOWN.get(kind) if dot else None
