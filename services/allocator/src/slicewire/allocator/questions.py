"""Questions that change nothing, answered from a view: the state as it is, or as it was."""

from __future__ import annotations

import asyncio

import msgspec

from slicewire.allocator import admission
from slicewire.allocator.core import census
from slicewire.allocator.draft import Draft
from slicewire.allocator.past import Seen
from slicewire.common.bus.port import Declined
from slicewire.common.messages import (
    CapacityReply,
    CapacityRequest,
    ExplainReply,
    ExplainRequest,
    WhatIfReply,
    WhatIfRequest,
)
from slicewire.common.model.census import ClassCapacity, PoolStatus


def explain(request: ExplainRequest, seen: Seen) -> ExplainReply | Declined:
    """Why this claim waits, what it holds, or what it would get."""
    reply = _explained(request, seen)
    return reply if isinstance(reply, Declined) else msgspec.structs.replace(reply, as_of=seen.as_of)


def _explained(request: ExplainRequest, seen: Seen) -> ExplainReply | Declined:
    draft = Draft(seen.view)
    if request.document is not None:
        return draft.explain(request.document)
    if request.claim is None:
        return Declined(400, "one of claim and document is needed")
    uid = admission.find(request.claim, seen.view)
    if isinstance(uid, Declined):
        return _then(uid, seen)
    known = seen.view.claims[uid]
    return draft.explain(known.claim, known.decided_by)


def what_if(request: WhatIfRequest, seen: Seen) -> WhatIfReply | Declined:
    """What the claims would be answered together, after those others were released."""
    releasing = []
    for ref in request.releasing:
        uid = admission.find(ref, seen.view)
        if isinstance(uid, Declined):
            return _then(uid, seen)
        releasing.append(uid)
    answers = Draft(seen.view).would_fit(request.claims, releasing)
    return WhatIfReply(answers=answers, as_of=seen.as_of)


async def capacity(request: CapacityRequest, seen: Seen) -> CapacityReply | Declined:
    """Computed node by node, giving way in between: a fleet is much to count."""
    snapshot = seen.view.snapshot
    if request.device_class and request.device_class not in snapshot.classes:
        return _then(Declined(404, f"there is no class {request.device_class}"), seen)
    names = [request.device_class] if request.device_class else sorted(snapshot.classes)
    classes: list[ClassCapacity] = []
    pools: list[PoolStatus] = []
    for node in [request.node] if request.node else snapshot.nodes:
        for name in names:
            classes += census.capacity_of(snapshot, node, snapshot.classes[name])
        pools += census.pool_statuses(snapshot, node)
        await asyncio.sleep(0)
    return CapacityReply(classes=tuple(classes), pools=tuple(pools), as_of=seen.as_of)


def _then(declined: Declined, seen: Seen) -> Declined:
    """Of a past moment it is said that it was so then: now it may be otherwise."""
    if seen.as_of is None:
        return declined
    return Declined(declined.code, f"as of event {seen.as_of.event}, {declined.reason}")
