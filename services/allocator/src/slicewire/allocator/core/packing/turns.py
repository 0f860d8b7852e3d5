"""In which order nodes are asked: packed nodes the fullest first, spread ones the emptiest first.

Nodes may differ in their policy; then those that are packed come first and those that are spread last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from slicewire.allocator.core.features import DEFAULT
from slicewire.allocator.core.packing.fullness import Fullness, fullness, of_whole, untouched
from slicewire.allocator.core.packing.policy import labelled
from slicewire.allocator.core.packing.roster import nodes_in
from slicewire.allocator.core.pools import pool_id
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.allocator.core.supply import is_plain, supply_of
from slicewire.common.model import NodeName
from slicewire.common.model.packing import Packing

_By = Mapping[Packing, int]
"""Nodes as bits by the policy that holds on them."""


def in_turn(
    snapshot: Snapshot, nodes: Sequence[NodeName], left: int, asked: Packing | None
) -> Iterator[NodeName]:
    """Those of the nodes whose bits are in `left`. `asked`: the policy of the claims, if they name one."""
    by_policy = _by_policy(snapshot, nodes, left, asked)
    packed, spread = by_policy[Packing.PACK], by_policy[Packing.SPREAD]
    levels: Sequence[tuple[Fullness, int]] = ()
    if (packed or spread) and len(nodes) > 1:
        levels = sorted(snapshot.roster.by_fullness(nodes, lambda node: _look(snapshot, node)).items())
    elif packed or spread:
        yield from nodes
    for _, bits in levels:
        yield from nodes_in(bits & packed, nodes)
    yield from nodes_in(by_policy[Packing.FIRST_FIT], nodes)
    for _, bits in reversed(levels):
        yield from nodes_in(bits & spread, nodes)


def _by_policy(snapshot: Snapshot, nodes: Sequence[NodeName], left: int, asked: Packing | None) -> _By:
    found = dict.fromkeys(Packing, 0)
    if asked is None and snapshot.labelled:
        for place, node in enumerate(nodes):
            if node in snapshot.labelled and left >> place & 1:
                found[labelled(snapshot.node(node)) or Packing.FIRST_FIT] |= 1 << place
    others = left & ~sum(found.values())
    found[asked or snapshot.packing] |= others
    return found


def _look(snapshot: Snapshot, node: NodeName) -> Fullness:
    slices = snapshot.local_slices(node)
    own = [snapshot.usage(id_) for id_ in {pool_id(each) for each in slices}]
    if not any(usage.dedicated or usage.shared for usage in own):
        return untouched(slices)
    stock = snapshot.stock(node, DEFAULT)
    in_use = snapshot.usages(stock)
    if is_plain(stock, in_use):
        return of_whole(supply_of(stock, in_use, DEFAULT).free.bit_count())
    return fullness(stock, in_use)
