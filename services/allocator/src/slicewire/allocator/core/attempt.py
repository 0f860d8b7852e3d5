"""One attempt at a node: the devices picked so far, and everything that they take from the others.

`pick` does and `undo` undoes, last in first out: after an `undo` the attempt is as it was before the
`pick`. Refuses to choose; it says whether a device can be picked, and why not.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from slicewire.allocator.core.capacity import Consumption, consumption, shortage
from slicewire.allocator.core.compatibility import Compatibility
from slicewire.allocator.core.constraints import Constraint, MatchAttribute, constraint_of
from slicewire.allocator.core.counters import Budgets
from slicewire.allocator.core.faults import Fault
from slicewire.allocator.core.features import Features
from slicewire.allocator.core.holdings import Usage
from slicewire.allocator.core.objections import (
    Constrained,
    FeatureOff,
    InUse,
    Objection,
    OutOfReach,
    Tainted,
)
from slicewire.allocator.core.requests import Alternative, Demand
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.allocator.core.stock import Candidate, Stock, Supply
from slicewire.allocator.core.supply import supply_of
from slicewire.allocator.core.taints import untolerated
from slicewire.common.model import DeviceAttribute, DeviceID, NodeName, PoolID, ResourceClaim
from slicewire.common.model.packing import Packing


class Question(msgspec.Struct, frozen=True, eq=False):
    """What is asked of one node: the claims, what the node has, and what of it is in use."""

    demand: Demand
    stock: Stock
    usages: Mapping[PoolID, Usage]
    features: Features
    policy: Packing = Packing.FIRST_FIT

    @property
    def supply(self) -> Supply:
        return supply_of(self.stock, self.usages, self.features)

    @classmethod
    def of(
        cls,
        demand: Demand,
        snapshot: Snapshot,
        node: NodeName,
        features: Features,
        policy: Packing = Packing.FIRST_FIT,
    ) -> Question:
        stock = snapshot.stock(node, features)
        return cls(demand, stock, snapshot.usages(stock), features, policy)


class Pick(msgspec.Struct, frozen=True, eq=False):
    """A device picked for a request, and what `undo` needs to know about it."""

    alternative: Alternative
    candidate: Candidate
    consumed: Consumption
    drew: bool


class Attempt:
    """Starts with what other claims hold; grows with every pick."""

    def __init__(self, question: Question) -> None:
        self.picks: list[Pick] = []
        self._question = question
        self._features = question.features
        self._usages = question.usages
        pools = {pool.id: pool for pool in question.stock.pools}
        self._budgets = Budgets(pools, question.usages)
        self._compatibility = Compatibility(pools, question.usages)
        self._constraints = tuple(_constraints(claim, self._features) for claim in question.demand.claims)
        self._dedicated: dict[DeviceID, list[Alternative]] = {}
        self._shares: dict[DeviceID, list[Consumption]] = {}
        self._drawn: set[DeviceID] = set()

    def constraints(self, claim_index: int) -> tuple[Constraint, ...]:
        return self._constraints[claim_index]

    def unselectable(self, alternative: Alternative, candidate: Candidate) -> Objection | Fault | None:
        """What speaks against the device whoever else wants it."""
        if candidate.device.binding_conditions and not self._features.device_binding_and_status:
            return FeatureOff("binding conditions")
        if objection := alternative.selection.objection(candidate):
            return objection
        return None if candidate.in_reach else OutOfReach()

    def in_use(self, alternative: Alternative, candidate: Candidate) -> InUse | None:
        """Admin access looks at devices that others use, but a claim gets each device only once."""
        earlier = self._dedicated.get(candidate.id)
        if alternative.admin_access:
            own = [each for each in earlier or () if each.claim_index == alternative.claim_index]
            return InUse(f"request {own[0].name} of the same claim") if own else None
        usage, name = self._usages[candidate.pool_id], candidate.device.name
        if name in usage.dedicated:
            return InUse(f"claim {usage.dedicated[name]}")
        if not candidate.shareable and name in usage.shared:
            return InUse(f"a share of claim {usage.shared[name].claims[0]}")
        return InUse(str(earlier[0])) if earlier else None

    def unavailable(self, alternative: Alternative, candidate: Candidate) -> Objection | None:
        """What speaks against a device that is selected and not in use as a whole."""
        if short := self.capacity_objection(alternative, candidate):
            return short
        if candidate.device.consumes_counters and not self._features.partitionable_devices:
            return FeatureOff("shared counters")
        if self._features.device_taints and candidate.device.taints:
            taint = untolerated(candidate.device.taints, alternative.tolerations)
            if taint is not None:
                return Tainted(taint)
        return self._undrawable(candidate) if self._must_draw(alternative, candidate) else None

    def _undrawable(self, candidate: Candidate) -> Objection | None:
        """What its counter sets have against the device."""
        if self._features.device_compatibility_groups:
            return self._budgets.shortage(candidate) or self._compatibility.objection(candidate)
        return self._budgets.shortage(candidate)

    def capacity_objection(self, alternative: Alternative, candidate: Candidate) -> Objection | None:
        """For a device that is not shared the request is a mere filter: it gets all of it anyway."""
        if not self._features.consumable_capacity or not (candidate.shareable or alternative.capacity):
            return None
        consumed = consumption(alternative.capacity, candidate.device)
        if isinstance(consumed, Objection):
            return consumed
        held = self._usages[candidate.pool_id].shared.get(candidate.device.name)
        in_use = self._shares.get(candidate.id, ())
        return shortage(consumed, candidate.device, held.consumed if held else {}, *in_use)

    def try_pick(self, alternative: Alternative, candidate: Candidate) -> Pick | Objection | Fault:
        """In use first, it is cheapest, and a selector is never asked about a device in use."""
        return (
            self.in_use(alternative, candidate)
            or self.unselectable(alternative, candidate)
            or self.unavailable(alternative, candidate)
            or self._joined(alternative, candidate)
        )

    def undo(self, pick: Pick) -> None:
        """Takes the last pick back, in the reverse of the order in which it was made."""
        assert self.picks.pop() is pick
        alternative, candidate = pick.alternative, pick.candidate
        if pick.drew:
            self._give_back(candidate)
        if candidate.shareable:
            _drop_last(self._shares, candidate.id)
        else:
            _drop_last(self._dedicated, candidate.id)
        for constraint in reversed(self._constraints[alternative.claim_index]):
            constraint.undo(alternative.name)

    def _joined(self, alternative: Alternative, candidate: Candidate) -> Pick | Constrained | Fault:
        joined: list[Constraint] = []
        for constraint in self._constraints[alternative.claim_index]:
            derived = alternative.derived(constraint.attribute, candidate)
            if isinstance(derived, Fault) or not constraint.add(alternative.name, candidate, derived):
                for earlier in reversed(joined):
                    earlier.undo(alternative.name)
                return derived if isinstance(derived, Fault) else _constrained(constraint, candidate, derived)
            joined.append(constraint)
        return self._made(alternative, candidate)

    def _made(self, alternative: Alternative, candidate: Candidate) -> Pick:
        drew = self._must_draw(alternative, candidate)
        consumed = self._consumed(alternative, candidate)
        if candidate.shareable:
            self._shares.setdefault(candidate.id, []).append(consumed)
        else:
            self._dedicated.setdefault(candidate.id, []).append(alternative)
        if drew:
            self._draw(candidate)
        pick = Pick(alternative, candidate, consumed, drew)
        self.picks.append(pick)
        return pick

    def _draw(self, candidate: Candidate) -> None:
        self._budgets.draw(candidate)
        if self._features.device_compatibility_groups:
            self._compatibility.join(candidate)
        self._drawn.add(candidate.id)

    def _give_back(self, candidate: Candidate) -> None:
        self._budgets.give_back(candidate)
        if self._features.device_compatibility_groups:
            self._compatibility.leave(candidate)
        self._drawn.discard(candidate.id)

    def _must_draw(self, alternative: Alternative, candidate: Candidate) -> bool:
        """A shared device draws from its counters once, for the first share; admin access draws nothing."""
        if not candidate.draws or alternative.admin_access:
            return False
        if not candidate.shareable:
            return True
        shared = self._usages[candidate.pool_id].shared
        return candidate.device.name not in shared and candidate.id not in self._drawn

    def _consumed(self, alternative: Alternative, candidate: Candidate) -> Consumption:
        if not candidate.shareable:
            return {}
        consumed = consumption(alternative.capacity, candidate.device)
        assert not isinstance(consumed, Objection)
        return consumed


def _constraints(claim: ResourceClaim, features: Features) -> tuple[Constraint, ...]:
    written = claim.spec.devices.constraints
    made = (constraint_of(each, features.list_type_attributes) for each in written)
    return tuple(each for each in made if each is not None)


def _constrained(
    constraint: Constraint, candidate: Candidate, derived: DeviceAttribute | None
) -> Constrained:
    must_match = isinstance(constraint, MatchAttribute)
    return Constrained(constraint.attribute, must_match, constraint.values(candidate, derived) is not None)


def _drop_last(
    kept: dict[DeviceID, list[Consumption]] | dict[DeviceID, list[Alternative]], id_: DeviceID
) -> None:
    kept[id_].pop()
    if not kept[id_]:
        del kept[id_]
