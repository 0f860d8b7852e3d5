"""What can be asked of node-prep over the bus, and how a refusal is said there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from slicewire.common import telemetry
from slicewire.common.bus.port import Declined
from slicewire.common.messages import (
    PREPARE,
    UNPREPARE,
    ClaimPrepared,
    Endpoint,
    PrepareReply,
    PrepareRequest,
    UnprepareReply,
)
from slicewire.common.model import NodeName
from slicewire.node_prep.core.entry import Asker
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from slicewire.node_prep.hearing import claim_of
from slicewire.node_prep.service import NodePrep

_CODES: Mapping[Why, int] = {
    Why.UNKNOWN_CLAIM: 404,
    Why.REPLACED_CLAIM: 409,
    Why.WRONG_CLAIM: 400,
    Why.OTHER_NODE: 404,
    Why.UNKNOWN_DEVICE: 404,
    Why.UNREADABLE_DEVICE: 503,
    Why.HELD_BY_ANOTHER: 409,
    Why.IN_USE: 409,
    Why.CONFLICT: 409,
    Why.CONFIG: 400,
    Why.UNSUPPORTED: 400,
    Why.DRIVER: 503,
    Why.DISK: 503,
    Why.BUSY: 503,
    Why.BUG: 500,
}


def endpoints(
    node_prep: NodePrep, node: NodeName
) -> Mapping[Endpoint[Any, Any], Callable[[Any], Awaitable[Any]]]:
    async def prepare(request: PrepareRequest) -> PrepareReply | Declined:
        done = await node_prep.prepare(claim_of(request.claim), Asker.BUS, telemetry.headers())
        if isinstance(done, PrepareRefusal):
            return _declined(done)
        return PrepareReply(prepared=ClaimPrepared(node=node, claim=request.claim, devices=done))

    async def unprepare(request: PrepareRequest) -> UnprepareReply | Declined:
        refusal = await node_prep.unprepare(claim_of(request.claim), Asker.BUS, telemetry.headers())
        return UnprepareReply(claim=request.claim) if refusal is None else _declined(refusal)

    return {PREPARE: prepare, UNPREPARE: unprepare}


def _declined(refusal: PrepareRefusal) -> Declined:
    return Declined(_CODES[refusal.why], refusal.reason)
