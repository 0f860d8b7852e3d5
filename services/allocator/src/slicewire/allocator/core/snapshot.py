"""Everything the allocator knows, as one immutable value: slices, nodes, classes, and what is held.

Successors (`with_…`, `without_…`) share all they do not change, and what was derived from it; telling
the same thing twice gives the same snapshot back. Refuses to decide anything.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain

import msgspec

from slicewire.allocator.core.features import Features
from slicewire.allocator.core.holdings import UNUSED, Holding, Usage
from slicewire.allocator.core.layout import Layouts
from slicewire.allocator.core.nodes import NodeView
from slicewire.allocator.core.packing.roster import Roster
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
from slicewire.allocator.core.sharing import sharing
from slicewire.allocator.core.standings import Standings
from slicewire.allocator.core.stock import Stock
from slicewire.allocator.core.taintrules import TaintRules, of_agent, tainted, tellings_under, with_rule
from slicewire.common.model import DeviceClass, DeviceTaintRule, DriverName, NodeName, PoolID
from slicewire.common.model.packing import PACKING, Packing

__all__ = ["EMPTY", "Holding", "NodeView", "Snapshot"]


Changes = Mapping[TellingKey, tuple[Slices, Slices | None]]
"""What was told under each key, and what is told now; None is nothing any more."""


class Snapshot(msgspec.Struct, frozen=True, eq=False):
    """Look up with the methods; make successors with `with_…` and `without_…`."""

    classes: Mapping[str, DeviceClass] = {}
    taint_rules: TaintRules = {}
    _told: PersistentMap[TellingKey, Slices] = msgspec.field(default_factory=PersistentMap)
    """As it was told; in all that follows the taints of rules are worked in."""
    _nodes: Nodes = msgspec.field(default_factory=Nodes)
    _pools: PoolRecords = msgspec.field(default_factory=PersistentMap)
    _shared_told: Told = {}
    _shared: Slices = ()
    """The slices that name no node of their own."""
    _holdings: PersistentMap[TellingKey, tuple[Holding, ...]] = msgspec.field(default_factory=PersistentMap)
    _held: HeldRecords = msgspec.field(default_factory=PersistentMap)
    _layouts: Layouts = msgspec.field(default_factory=Layouts)
    refused: Refused = msgspec.field(default_factory=Refused)
    """Which nodes need not be asked again; see refused.py."""
    standings: Standings = msgspec.field(default_factory=Standings)
    """Which nodes stand alike; see standings.py."""
    roster: Roster = msgspec.field(default_factory=Roster)
    """How full the nodes are; see packing/roster.py."""
    packing: Packing = Packing.FIRST_FIT
    """How nodes are filled that do not say it themselves."""
    labelled: frozenset[NodeName] = frozenset()
    """The nodes that do."""

    @property
    def nodes(self) -> tuple[NodeName, ...]:
        """Sorted: the nodes that have slices or were told."""
        return self._nodes.names

    def node(self, name: NodeName) -> NodeView:
        """As told; a node that was not told has its name and no labels."""
        return self._nodes.get(name).view

    def slices(self, node: NodeName, driver: DriverName) -> Slices:
        """As they were told: without the taints of rules."""
        return self._told.get(TellingKey(node, driver)) or ()

    def local_slices(self, node: NodeName) -> Slices:
        """Those that name the node, of all drivers."""
        return flat(self._nodes.get(node).local)

    def holdings(self, node: NodeName, driver: DriverName) -> tuple[Holding, ...]:
        return self._holdings.get(TellingKey(node, driver)) or ()

    def usage(self, id_: PoolID) -> Usage:
        record = self._held.get(id_)
        return record.usage if record else UNUSED

    def usages(self, stock: Stock) -> Mapping[PoolID, Usage]:
        """Of all its pools."""
        return {pool.id: self.usage(pool.id) for pool in stock.pools}

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
        candidates = tuple(chain.from_iterable(usable))
        layout = self._layouts.of(pools, features)
        return Stock(record.view, pools, candidates, self._shared, consulted, layout)

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
        after = after and tuple(map(sharing, after))
        told = self._told.without(key) if after is None else self._told.with_value(key, after)
        of_others = of_agent(key.driver, self.node(key.node))
        change = before or (), after and tainted(after, self.taint_rules, of_others)
        return self._with_changes({key: change}, _told=told)

    def _with_changes(self, changes: Changes, **told: object) -> Snapshot:
        """What is derived from what was told, where it is told otherwise now."""
        shared_told, pools, nodes = self._shared_told, self._pools, self._nodes
        for key, (before, after) in changes.items():
            shared = tuple(each for each in after or () if not each.spec.node_name)
            if shared_told.get(key, ()) != shared:
                shared_told = with_told(shared_told, key, shared or None)
            pools = with_pool_slices(pools, key, before, after or ())
            nodes = nodes.with_slices(key, before, after)
        touched = {pool_id(each) for before, after in changes.values() for each in (*before, *(after or ()))}
        takers = {key.node for key in changes} | _part_takers(touched, (self._pools, pools))
        return msgspec.structs.replace(
            self,
            **self._forgetting(takers),
            _nodes=nodes,
            _pools=pools,
            _shared_told=shared_told,
            _shared=self._shared if shared_told is self._shared_told else flat(shared_told),
            **told,
        )

    def _forgetting(self, nodes: Collection[NodeName]) -> dict[str, object]:
        """The memories beside the snapshot without what is known of these nodes; "" stands for any node."""
        are_named = all(nodes)
        return {
            "refused": self.refused.forgetting(nodes) if are_named else Refused(),
            "standings": self.standings.forgetting(nodes) if are_named else Standings(),
            "roster": self.roster.forgetting(nodes),
        }

    def with_taint_rule(self, rule: DeviceTaintRule) -> Snapshot:
        """In place of the rule of this name. Works out anew only where it changes the taints of a device."""
        return self._with_taint_rule(rule.metadata.name, rule)

    def without_taint_rule(self, name: str) -> Snapshot:
        return self._with_taint_rule(name, None)

    def _with_taint_rule(self, name: str, rule: DeviceTaintRule | None) -> Snapshot:
        known = self.taint_rules.get(name)
        before = known and known.rule
        if before == rule:
            return self
        rules = with_rule(self.taint_rules, name, rule)
        changes: dict[TellingKey, tuple[Slices, Slices | None]] = {}
        for key in {key for each in (before, rule) if each for key in tellings_under(each, self._pools)}:
            told = self._told.get(key) or ()
            of_others = of_agent(key.driver, self.node(key.node))
            was, now = (tainted(told, each, of_others) for each in (self.taint_rules, rules))
            if was != now:
                changes[key] = was, now
        return self._with_changes(changes, taint_rules=rules)

    def with_node(self, node: NodeView) -> Snapshot:
        record = self._nodes.get(node.name)
        if record.was_told and record.view == node:
            return self
        return self._with_node(NodeRecord(node, was_told=True, local=record.local))

    def without_node(self, name: NodeName) -> Snapshot:
        """Its slices stay, if it has any: it is only no longer known as a node with labels."""
        record = self._nodes.get(name)
        if not record.was_told:
            return self
        return self._with_node(NodeRecord(NodeView(name), local=record.local))

    def _with_node(self, record: NodeRecord) -> Snapshot:
        name, before, now = record.view.name, self.node(record.view.name), record.view
        after = msgspec.structs.replace(
            self,
            **self._forgetting([name]),
            labelled=self.labelled | {name} if PACKING in now.labels else self.labelled - {name},
            _nodes=self._nodes.with_record(record),
        )
        if before.silent == now.silent:
            return after
        return after._with_silence(before, now)  # noqa: SLF001 - a successor of its own kind

    def _with_silence(self, before: NodeView, now: NodeView) -> Snapshot:
        """What the agents told that have fallen silent, or speak again."""
        changes: dict[TellingKey, tuple[Slices, Slices | None]] = {}
        for driver in before.silent ^ now.silent:
            key = TellingKey(now.name, driver)
            if told := self._told.get(key):
                was, after = (of_agent(driver, each) for each in (before, now))
                rules = self.taint_rules
                changes[key] = tainted(told, rules, was), tainted(told, rules, after)
        return self._with_changes(changes)

    def with_packing(self, packing: Packing) -> Snapshot:
        """The same, where nodes that do not say it themselves are filled like this."""
        return self if packing is self.packing else msgspec.structs.replace(self, packing=packing)

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
        nodes = {node, *_part_takers(pools_of((*before, *holdings)), (self._pools,))}
        return msgspec.structs.replace(
            self,
            **self._forgetting(nodes),
            _holdings=self._holdings.with_value(key, holdings) if holdings else self._holdings.without(key),
            _held=with_held(self._held, key, before, holdings),
        )


def _part_takers(changed: Iterable[PoolID], pools: Sequence[PoolRecords]) -> set[NodeName]:
    """The nodes with a part in these pools, as they were and as they are; "" if they are for any node."""
    records = (record for id_ in changed for each in pools if (record := each.get(id_)) is not None)
    return {each.spec.node_name or NodeName("") for record in records for each in record.slices}


EMPTY = Snapshot()
