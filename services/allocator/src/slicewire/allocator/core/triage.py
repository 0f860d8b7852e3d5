"""Which nodes of a fleet to ask at all: many that are full are seen to be so in one look.

Sound: a node is passed over only where asking it could end in nothing but a plain no.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nlargest

from slicewire.allocator.core.features import Features
from slicewire.allocator.core.marks import is_common
from slicewire.allocator.core.prospects import Prospects, prospects
from slicewire.allocator.core.refused import Shape
from slicewire.allocator.core.requests import Alternative, Demand, Wanted
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.allocator.core.standings import Standing
from slicewire.allocator.core.supply import supply_of
from slicewire.common.model import NodeName

MOST_LOOKS = 256
"""Different standings that are looked at, those of the most nodes; the other nodes are asked."""


def worth_asking(demand: Demand, shape: Shape, snapshot: Snapshot, nodes: Sequence[NodeName]) -> int:
    """The nodes as bits in their order. Looks once at each new question; what it finds is remembered."""
    refused, (features, _) = snapshot.refused, shape
    left = refused.left(shape, nodes)
    if refused.knows(shape) or len(nodes) < 2 or not _can_be_seen(demand):
        return left
    alike = snapshot.standings.alike(nodes, features, lambda node: standing_of(node, snapshot, features))
    hopeless = 0
    for standing in nlargest(MOST_LOOKS, alike, key=lambda each: alike[each].bit_count()):
        if is_hopeless(demand, standing):
            hopeless |= alike[standing]
    refused.note_bits(shape, hopeless)
    return left & ~hopeless


def standing_of(node: NodeName, snapshot: Snapshot, features: Features) -> Standing | None:
    """None where the node's pools or its own policy may have more to say than no."""
    stock = snapshot.stock(node, features)
    if node in snapshot.labelled or not all(pool.is_usable for pool in stock.pools):
        return None
    return Standing(stock, supply_of(stock, snapshot.usages(stock), features))


def is_hopeless(demand: Demand, standing: Standing) -> bool:
    """Whether a request has too few devices, and no selector is without an answer on any of them."""
    found = False
    for wanted in demand.requests:
        seen = [_prospects(alternative, standing) for alternative in wanted.alternatives]
        if any(each is None or each.unjudged for each in seen):
            return False
        found = found or not _is_servable(wanted, seen)
    return found


def _is_servable(wanted: Wanted, seen: Sequence[Prospects | None]) -> bool:
    return any(
        each is not None and each.promising.bit_count() >= alternative.count
        for alternative, each in zip(wanted.alternatives, seen, strict=True)
    )


def _prospects(alternative: Alternative, standing: Standing) -> Prospects | None:
    """None where nodes that stand alike may differ in it."""
    if not standing.supply.free:
        return Prospects(0, 0)
    if not is_common(alternative.selection.judge):
        return None
    return prospects(alternative, standing.stock, standing.supply)


def _can_be_seen(demand: Demand) -> bool:
    """All of something, and what is derived, may fail in more ways; administrators see what is in use."""
    return not any(
        alternative.takes_all or alternative.derivations or alternative.admin_access
        for wanted in demand.requests
        for alternative in wanted.alternatives
    )
