"""What a snapshot is made of: who told what about nodes, pools and holdings, indexed for looking up.

Everything is told under a key, whole each time. Each record is immutable and has successors; keys are
always taken in their own order, so that the order of telling does not matter.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import NamedTuple

import msgspec

from slicewire.allocator.core.features import Features
from slicewire.allocator.core.holdings import UNUSED, Holding, Usage, usage_of
from slicewire.allocator.core.nodes import NodeView
from slicewire.allocator.core.persistent import PersistentMap
from slicewire.allocator.core.pools import pool_id
from slicewire.allocator.core.stock import Stock
from slicewire.common.model import DriverName, NodeName, PoolID, ResourceSlice

Slices = tuple[ResourceSlice, ...]


class TellingKey(NamedTuple):
    """Under which slices and holdings are told: a node and a driver."""

    node: NodeName
    driver: DriverName


Told = Mapping[TellingKey, Slices]


def flat(told: Told) -> Slices:
    return tuple(chain.from_iterable(told[key] for key in sorted(told)))


def with_told(told: Told, key: TellingKey, slices: Slices | None) -> Told:
    """None: nothing is told under the key any more."""
    rest = {k: v for k, v in told.items() if k != key}
    return rest if slices is None else {**rest, key: slices}


class NodeRecord(msgspec.Struct, frozen=True, eq=False):
    """One node, the slices that name it, and what was gathered from them."""

    view: NodeView
    was_told: bool = False
    local: Told = {}
    stocks: dict[Features, Stock] = msgspec.field(default_factory=dict)

    def told(self, key: TellingKey, slices: Slices | None) -> NodeRecord:
        return NodeRecord(self.view, self.was_told, with_told(self.local, key, slices))


class Nodes(msgspec.Struct, frozen=True, eq=False):
    """All nodes that were told or have slices; a node that nobody tells anything of is forgotten."""

    names: tuple[NodeName, ...] = ()
    records: PersistentMap[NodeName, NodeRecord] = msgspec.field(default_factory=PersistentMap)

    def get(self, name: NodeName) -> NodeRecord:
        return self.records.get(name) or NodeRecord(NodeView(name))

    def with_record(self, record: NodeRecord) -> Nodes:
        name = record.view.name
        at = bisect_left(self.names, name)
        after = at + 1 if self.records.get(name) else at
        if record.was_told or record.local:
            names = self.names if after > at else (*self.names[:at], name, *self.names[at:])
            return Nodes(names, self.records.with_value(name, record))
        return Nodes((*self.names[:at], *self.names[after:]), self.records.without(name))

    def with_slices(self, key: TellingKey, before: Slices, after: Slices | None) -> Nodes:
        """The node of the key has them even if they name other nodes, or none."""
        nodes = self
        named = {each.spec.node_name or key.node for each in (*before, *(after or ()))}
        for name in sorted({key.node, *named} - {""}):
            local = tuple(each for each in after or () if each.spec.node_name == name)
            is_told = after is not None and (bool(local) or name == key.node)
            nodes = nodes.with_record(nodes.get(name).told(key, local if is_told else None))
        return nodes


class PoolRecord(msgspec.Struct, frozen=True, eq=False):
    """Every slice of one pool, whoever told it."""

    told: Told
    slices: Slices


PoolRecords = PersistentMap[PoolID, PoolRecord]


def with_pool_slices(pools: PoolRecords, key: TellingKey, before: Slices, after: Slices) -> PoolRecords:
    for id_ in {pool_id(each) for each in (*before, *after)}:
        record = pools.get(id_)
        slices = tuple(each for each in after if pool_id(each) == id_)
        told = with_told(record.told if record else {}, key, slices or None)
        pools = pools.with_value(id_, PoolRecord(told, flat(told))) if told else pools.without(id_)
    return pools


class HeldRecord(msgspec.Struct, frozen=True, eq=False):
    """Everything that claims hold in one pool, whoever told it."""

    told: Mapping[TellingKey, tuple[Holding, ...]] = {}
    usage: Usage = UNUSED


HeldRecords = PersistentMap[PoolID, HeldRecord]


def with_held(
    held: HeldRecords, key: TellingKey, before: tuple[Holding, ...], after: tuple[Holding, ...]
) -> HeldRecords:
    pools = pools_of(chain(before, after))
    for id_ in pools:
        told = {k: v for k, v in (held.get(id_) or HeldRecord()).told.items() if k != key}
        only = after if len(pools) == 1 else (_only(id_, each) for each in after)
        if here := tuple(each for each in only if each.results):
            told[key] = here
        usage = usage_of(chain.from_iterable(told[k] for k in sorted(told)))
        held = held.with_value(id_, HeldRecord(told, usage)) if told else held.without(id_)
    return held


def pools_of(holdings: Iterable[Holding]) -> set[PoolID]:
    return {PoolID(result.driver, result.pool) for holding in holdings for result in holding.results}


def _only(id_: PoolID, holding: Holding) -> Holding:
    results = tuple(r for r in holding.results if (r.driver, r.pool) == (id_.driver, id_.pool))
    return msgspec.structs.replace(holding, results=results)
