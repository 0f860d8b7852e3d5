"""What a remedy is: one change that might make claims fit, and the situation after it.

Here are the values and the way to write a claim anew; concessions.py and yielding.py propose remedies,
changes.py tries them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from slicewire.allocator.core.attempt import Question
from slicewire.allocator.core.features import Features
from slicewire.allocator.core.holders import Holder
from slicewire.allocator.core.kinds import Kind, kinds
from slicewire.allocator.core.persistent import Memo
from slicewire.allocator.core.requests import Alternative, Demand
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.common.model import (
    CELDeviceSelector,
    ChangeKind,
    DeviceRequest,
    DeviceSelector,
    DeviceSubRequest,
    ExactDeviceRequest,
    NodeName,
    ResourceClaim,
)

Claims = tuple[ResourceClaim, ...]
Nearby = tuple[tuple[NodeName, Sequence[Holder]], ...]
"""Of some nodes, the claims that hold something there."""


class Situation(msgspec.Struct, frozen=True, eq=False):
    """The claims that do not fit, and the world that they do not fit into."""

    claims: Claims
    demand: Demand
    snapshot: Snapshot
    nodes: tuple[NodeName, ...]
    features: Features
    _kinds: Memo[tuple[Kind, ...]] = msgspec.field(default_factory=Memo)
    nearby: Memo[Nearby] = msgspec.field(default_factory=Memo)
    """Whom the claims of the nearest nodes belong to; see yielding.py."""

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The nodes by kind: a change of the claims helps on all of a kind or on none."""
        return self._kinds.recall(
            self.snapshot, lambda: kinds(self.demand, self.snapshot, self.nodes, self.features)
        )

    @property
    def alternatives(self) -> tuple[Alternative, ...]:
        return tuple(each for wanted in self.demand.requests for each in wanted.alternatives)

    def question(self, node: NodeName) -> Question:
        return Question.of(self.demand, self.snapshot, node, self.features)


class Remedy(msgspec.Struct, frozen=True, eq=False):
    """One change, the node where it might help, and what there is after it."""

    kind: ChangeKind
    message: str
    node: NodeName
    weight: int
    """Of two of a kind the lighter is the better: taints tolerated, devices forgone or disturbed."""
    applied: Callable[[], tuple[Claims, Snapshot]]


def asked(claim: ResourceClaim, alternative: Alternative) -> ExactDeviceRequest | DeviceSubRequest:
    """What the claim says of this alternative."""
    return next(
        details
        for request in claim.spec.devices.requests
        for name, details in _named(request)
        if name == alternative.name
    )


def asking(claims: Claims, alternative: Alternative, **changed: Any) -> Claims:
    """The claims with this one alternative changed; `changed` are fields of the request."""
    index = alternative.claim_index
    claim = claims[index]
    devices = claim.spec.devices
    requests = tuple(_rewritten(each, alternative, changed) for each in devices.requests)
    devices = msgspec.structs.replace(devices, requests=requests)
    spec = msgspec.structs.replace(claim.spec, devices=devices)
    return (*claims[:index], msgspec.structs.replace(claim, spec=spec), *claims[index + 1 :])


def _rewritten(request: DeviceRequest, alternative: Alternative, changed: dict[str, Any]) -> DeviceRequest:
    after = [
        msgspec.structs.replace(details, **changed) if name == alternative.name else details
        for name, details in _named(request)
    ]
    if request.exactly is not None:
        return msgspec.structs.replace(request, exactly=after[0])
    return msgspec.structs.replace(request, first_available=tuple(after))


def _named(request: DeviceRequest) -> Sequence[tuple[str, ExactDeviceRequest | DeviceSubRequest]]:
    """By the names that requests.py gives to alternatives."""
    if request.exactly is not None:
        return [(request.name, request.exactly)]
    return [(f"{request.name}/{sub.name}", sub) for sub in request.first_available]


def request_of(situation: Situation, alternative: Alternative) -> str:
    """With the claim only where there are several."""
    claim = f" of claim {alternative.claim}" if len(situation.claims) > 1 else ""
    return f"request {alternative.name}{claim}"


def expressions(situation: Situation, alternative: Alternative) -> tuple[str, ...]:
    """Of the request's own selectors, in their order."""
    written = asked(situation.claims[alternative.claim_index], alternative).selectors
    return tuple(each.cel.expression for each in written if each.cel)


def selectors(written: Iterable[str]) -> tuple[DeviceSelector, ...]:
    return tuple(DeviceSelector(cel=CELDeviceSelector(expression=each)) for each in written)


def so_asked(claims: Claims, situation: Situation) -> tuple[Claims, Snapshot]:
    """What there is after only the claims have changed."""
    return claims, situation.snapshot
