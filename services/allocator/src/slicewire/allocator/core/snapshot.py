"""Everything the allocator knows, as one immutable value: slices, nodes, classes, and what is held.

Successors (`with_…`, `without_…`) share all they do not change, and what was derived from it; telling
the same thing twice gives the same snapshot back. Refuses to decide anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

import msgspec

from slicewire.allocator.core.features import Features
from slicewire.allocator.core.holdings import UNUSED, Holding, Usage
from slicewire.allocator.core.nodes import NodeView
from slicewire.allocator.core.persistent import PersistentMap
from slicewire.allocator.core.pools import gather, pool_id
from slicewire.allocator.core.records import (
    HeldRecords,
    NodeRecord,
    Nodes,
    PoolRecords,
    Slices,
    TellingKey,
    Told,
    flat,
    pools_of,
    with_held,
    with_pool_slices,
    with_told,
)
from slicewire.allocator.core.refused import Refused
from slicewire.allocator.core.stock import Stock
from slicewire.common.model import DeviceClass, DriverName, NodeName, PoolID

__all__ = ["EMPTY", "Holding", "NodeView", "Snapshot"]


class Snapshot(msgspec.Struct, frozen=True, eq=False):
    """Look up with the methods; make successors with `with_…` and `without_…`."""

    classes: Mapping[str, DeviceClass] = {}
    _told: PersistentMap[TellingKey, Slices] = msgspec.field(default_factory=PersistentMap)
    _nodes: Nodes = msgspec.field(default_factory=Nodes)
    _pools: PoolRecords = msgspec.field(default_factory=PersistentMap)
    _shared_told: Told = {}
    _shared: Slices = ()
    """The slices that name no node of their own."""
    _holdings: PersistentMap[TellingKey, tuple[Holding, ...]] = msgspec.field(default_factory=PersistentMap)
    _held: HeldRecords = msgspec.field(default_factory=PersistentMap)
    refused: Refused = msgspec.field(default_factory=Refused)
    """Which nodes need not be asked again; see refused.py."""

    @property
    def nodes(self) -> tuple[NodeName, ...]:
        """Sorted: the nodes that have slices or were told."""
        return self._nodes.names

    def node(self, name: NodeName) -> NodeView:
        """As told; a node that was not told has its name and no labels."""
        return self._nodes.get(name).view

    def slices(self, node: NodeName, driver: DriverName) -> Slices:
        return self._told.get(TellingKey(node, driver)) or ()

    def holdings(self, node: NodeName, driver: DriverName) -> tuple[Holding, ...]:
        return self._holdings.get(TellingKey(node, driver)) or ()

    def usage(self, id_: PoolID) -> Usage:
        record = self._held.get(id_)
        return record.usage if record else UNUSED

    def stock(self, node: NodeName, features: Features) -> Stock:
        """What the node can use. Gathered once, and again only when something it rests on changed."""
        record = self._nodes.get(node)
        stock = record.stocks.get(features)
        if stock is None or not self._is_current(stock):
            stock = self._gathered(record, features)
            record.stocks[features] = stock
        return stock

    def _is_current(self, stock: Stock) -> bool:
        return stock.shared is self._shared and all(
            self._whole_pool(id_) is slices for id_, slices in stock.consulted.items()
        )

    def _gathered(self, record: NodeRecord, features: Features) -> Stock:
        consulted: dict[PoolID, Slices] = {}

        def whole(id_: PoolID) -> Slices:
            consulted[id_] = self._whole_pool(id_)
            return consulted[id_]

        pools = gather(chain(flat(record.local), self._shared), record.view, features, whole)
        usable = (pool.devices for pool in pools if pool.is_usable)
        return Stock(record.view, pools, tuple(chain.from_iterable(usable)), self._shared, consulted)

    def _whole_pool(self, id_: PoolID) -> Slices:
        record = self._pools.get(id_)
        return record.slices if record else ()

    def with_slices(self, node: NodeName, driver: DriverName, slices: Slices) -> Snapshot:
        """Replaces all slices told under this key."""
        return self._with_told(TellingKey(node, driver), slices)

    def without_slices(self, node: NodeName, driver: DriverName) -> Snapshot:
        return self._with_told(TellingKey(node, driver), None)

    def _with_told(self, key: TellingKey, after: Slices | None) -> Snapshot:
        before = self._told.get(key)
        if before == after:
            return self
        shared_told = self._shared_told
        shared = tuple(each for each in after or () if not each.spec.node_name)
        if shared_told.get(key, ()) != shared:
            shared_told = with_told(shared_told, key, shared or None)
        pools = with_pool_slices(self._pools, key, before or (), after or ())
        changed = {pool_id(each) for each in (*(before or ()), *(after or ()))}
        return msgspec.structs.replace(
            self,
            refused=self._without_answers_of(changed, (self._pools, pools), key.node),
            _told=self._told.without(key) if after is None else self._told.with_value(key, after),
            _nodes=self._nodes.with_slices(key, before or (), after),
            _pools=pools,
            _shared_told=shared_told,
            _shared=self._shared if shared_told is self._shared_told else flat(shared_told),
        )

    def _without_answers_of(
        self, changed: Iterable[PoolID], pools: Sequence[PoolRecords], node: NodeName
    ) -> Refused:
        """What is remembered of nodes that have no part in these pools, as they were and as they are."""
        nodes = {node}
        for id_ in changed:
            for record in (found for each in pools if (found := each.get(id_)) is not None):
                for each in record.slices:
                    if not each.spec.node_name:
                        return Refused()  # a pool that nodes share changes the answer of any of them
                    nodes.add(each.spec.node_name)
        return self.refused.forgetting(nodes)

    def with_node(self, node: NodeView) -> Snapshot:
        record = self._nodes.get(node.name)
        if record.was_told and record.view == node:
            return self
        told = NodeRecord(node, was_told=True, local=record.local)
        refused = self.refused.forgetting([node.name])
        return msgspec.structs.replace(self, refused=refused, _nodes=self._nodes.with_record(told))

    def without_node(self, name: NodeName) -> Snapshot:
        """Its slices stay, if it has any: it is only no longer known as a node with labels."""
        record = self._nodes.get(name)
        if not record.was_told:
            return self
        untold = NodeRecord(NodeView(name), local=record.local)
        refused = self.refused.forgetting([name])
        return msgspec.structs.replace(self, refused=refused, _nodes=self._nodes.with_record(untold))

    def with_class(self, device_class: DeviceClass) -> Snapshot:
        name = device_class.metadata.name
        if self.classes.get(name) == device_class:
            return self
        classes = {**self.classes, name: device_class}
        return msgspec.structs.replace(self, classes=classes, refused=Refused())

    def without_class(self, name: str) -> Snapshot:
        if name not in self.classes:
            return self
        classes = {k: v for k, v in self.classes.items() if k != name}
        return msgspec.structs.replace(self, classes=classes, refused=Refused())

    def with_holdings(self, node: NodeName, driver: DriverName, holdings: tuple[Holding, ...]) -> Snapshot:
        """Replaces what is held under this key; an empty tuple forgets the key."""
        key = TellingKey(node, driver)
        before = self._holdings.get(key) or ()
        if before == holdings:
            return self
        return msgspec.structs.replace(
            self,
            refused=self._without_answers_of(pools_of((*before, *holdings)), (self._pools,), node),
            _holdings=self._holdings.with_value(key, holdings) if holdings else self._holdings.without(key),
            _held=with_held(self._held, key, before, holdings),
        )


EMPTY = Snapshot()
