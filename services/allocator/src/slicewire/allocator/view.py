"""What the allocator has heard: the state of the stream, as far as it matters for deciding.

Mutable, owned by one event loop, changed between awaits only. Facts come in any order and more than
once: one that is not newer than what is known of its key changes nothing.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from slicewire.allocator.core.snapshot import EMPTY, Holding, NodeView, Snapshot
from slicewire.allocator.ledger import PoolKey, empty
from slicewire.common.bus.port import ABSENT, Committed, Heard, Write
from slicewire.common.messages import (
    ANSWERS,
    CLAIMS,
    CLASSES,
    INVENTORY,
    LEDGERS,
    NODES,
    SLICEWIRE,
    TAINT_RULES,
    Channel,
    ClaimAnswered,
    ClaimObserved,
    ClassObserved,
    LedgerEntry,
    LedgerWritten,
    NodeObserved,
    PoolObserved,
    TaintRuleObserved,
)
from slicewire.common.model import (
    ClaimUID,
    DriverName,
    NodeName,
    PoolID,
    PoolName,
    ResourcePool,
    ResourceSlice,
    ResourceSliceSpec,
    TraceParent,
)

FOLLOWED: tuple[Channel[Any], ...] = (INVENTORY, NODES, CLASSES, TAINT_RULES, CLAIMS, LEDGERS, ANSWERS)


class Hoped(NamedTuple):
    """A commit whose outcome is not known yet, and what its writes make of the snapshot."""

    writes: Sequence[Write]
    before: Snapshot
    after: Snapshot


class View:
    """`untold_allocation` is the mode of nodes that nobody told about: without Kubernetes, all."""

    def __init__(self, untold_allocation: str = SLICEWIRE) -> None:
        self.snapshot: Snapshot = EMPTY
        self.claims: dict[ClaimUID, ClaimObserved] = {}
        self.answers: dict[ClaimUID, ClaimAnswered] = {}
        self.waiting: dict[ClaimUID, TraceParent] = {}
        """Claims that were refused and may fit after a change, oldest first, and the trace of the refusal."""
        self.capacity_changes = 0
        """Counts what may let a waiting claim fit."""
        self.doubtful: dict[ClaimUID, None] = {}
        """Claims that hold, or are answered, otherwise than they are told: whoever decided that had not
        heard the latest of them. A ledger guards the devices of its pool, not the claims."""
        self._untold_allocation = untold_allocation
        self._allocation_by_node: dict[NodeName, str] = {}
        self._nodes_of: dict[str, tuple[NodeName, ...]] = {}
        self._sorted_out: tuple[NodeName, ...] = ()
        """The nodes that `_nodes_of` has sorted out."""
        self._ledgers: dict[PoolKey, LedgerWritten] = {}
        self._pools: dict[PoolID, PoolKey] = {}
        self._held: dict[ClaimUID, set[PoolKey]] = defaultdict(set)
        self._uid_by_label: dict[str, ClaimUID] = {}
        self._sequences: dict[tuple[str, tuple[str, ...]], int] = {}
        self._changed: asyncio.Event = asyncio.Event()
        self._is_awaited = False
        self._hoped: Hoped | None = None
        self._behind: dict[int, int] = {}
        """By fact of the commit that is hoped for: how many of its facts come after."""

    def hear(self, heard: Heard[Any]) -> None:
        """Take in a fact, unless something as new is known of its key."""
        if (behind := self._behind.get(id(heard.fact))) is not None:
            self.kept(Committed(heard.sequence + behind))
        place = (heard.channel.kind, heard.key)
        if heard.sequence <= self._sequences.get(place, ABSENT):
            return
        self._sequences[place] = heard.sequence
        _HEAR[heard.channel.kind](self, heard.key, heard.fact)
        if heard.channel.kind == ANSWERS.kind and (uid := ClaimUID(heard.key[0])) in self.waiting:
            self.waiting[uid] = TraceParent(heard.headers.get("traceparent", ""))
        if self._is_awaited:
            self._changed.set()
            self._changed, self._is_awaited = asyncio.Event(), False

    def hope(self, hoped: Hoped) -> None:
        """A commit is under way. Whatever is heard of it tells that all of it was kept."""
        self._hoped = hoped
        self._behind = {id(w.fact): n for n, w in enumerate(reversed(hoped.writes)) if w.fact is not None}

    def kept(self, committed: Committed) -> None:
        """Take in our own commit at its first word: the stream's answer, or one of its facts."""
        hoped, self._hoped, self._behind = self._hoped, None, {}
        if hoped is None:
            return
        numbered = tuple(enumerate(hoped.writes, committed.sequence - len(hoped.writes) + 1))
        is_latest = all(self.sequence(write.channel, write.key) <= number for number, write in numbered)
        if is_latest and self.snapshot is hoped.before:  # else worked out with what was heard meanwhile
            self.snapshot = hoped.after.with_packing(hoped.before.packing)
        for number, write in numbered:
            headers = {"traceparent": write.trace} if write.trace else {}
            self.hear(Heard(write.channel, write.key, write.fact, number, headers))

    def next_change(self) -> asyncio.Event:
        """Set as soon as something more is heard than when this was called."""
        self._is_awaited = True
        return self._changed

    async def change(self) -> None:
        await self.next_change().wait()

    async def reach(self, channel: Channel[Any], key: tuple[str, ...], sequence: int) -> None:
        """Until this much is known of the key."""
        while self.sequence(channel, key) < sequence:
            await self.change()

    def sequence(self, channel: Channel[Any], key: tuple[str, ...]) -> int:
        """The sequence of what is known of a key: what a write over it must expect."""
        return self._sequences.get((channel.kind, key), ABSENT)

    def nodes_of(self, allocation: str = SLICEWIRE) -> tuple[NodeName, ...]:
        """Nodes whose pools this one allocates, in order; the same object while nothing changes."""
        if self._sorted_out is not self.snapshot.nodes:
            self._sorted_out, self._nodes_of = self.snapshot.nodes, {}
        if allocation not in self._nodes_of:
            nodes = self.snapshot.nodes
            self._nodes_of[allocation] = tuple(n for n in nodes if self.allocation(n) == allocation)
        return self._nodes_of[allocation]

    def allocation(self, node: NodeName) -> str:
        return self._allocation_by_node.get(node, self._untold_allocation)

    @property
    def ledgers(self) -> tuple[LedgerWritten, ...]:
        return tuple(self._ledgers.values())

    def ledger(self, key: PoolKey) -> LedgerWritten:
        return self._ledgers.get(key) or empty(key)

    def held(self, uid: ClaimUID) -> tuple[PoolKey, ...]:
        """The pools a claim holds devices of, in order."""
        return tuple(sorted(self._held.get(uid, ())))

    def is_at_rest(self, uid: ClaimUID) -> bool:
        """Allocated, or gone: looking at it again costs no search."""
        answer = self.answers.get(uid)
        return uid not in self.claims if answer is None else answer.allocation is not None

    def has_ended(self, uid: ClaimUID) -> bool:
        """There was a claim under this UID, and there is none any more."""
        return uid not in self.claims and self.sequence(CLAIMS, (uid,)) != ABSENT

    def doubt(self) -> None:
        """Look at everything once: facts may have been heard before what they go with."""
        for pool, ledger in self._ledgers.items():
            for entry in ledger.entries:
                self._compare(entry.claim.uid, pool, entry)
        self.doubtful |= {uid: None for uid in self.answers if self.has_ended(uid)}

    def pool_key(self, driver: DriverName, pool: PoolName) -> PoolKey:
        """Whose ledger a device of this pool is in. An unknown pool is named like its node."""
        return self._pools.get(PoolID(driver, pool), (NodeName(pool), driver))

    def uid_of(self, label: str) -> ClaimUID | None:
        """The claim that is known as `namespace/name`."""
        return self._uid_by_label.get(label)

    def _inventory(self, key: tuple[str, ...], fact: PoolObserved | None) -> None:
        self.capacity_changes += 1
        node, driver = NodeName(key[0]), DriverName(key[1])
        if fact is None:
            self.snapshot = self.snapshot.without_slices(node, driver)
            return
        self._pools[PoolID(fact.driver, fact.pool)] = (fact.node, fact.driver)
        self.snapshot = self.snapshot.with_slices(fact.node, fact.driver, slices_of(fact))

    def _node(self, key: tuple[str, ...], fact: NodeObserved | None) -> None:
        self.capacity_changes += 1
        self._nodes_of = {}
        if fact is None:
            self.snapshot = self.snapshot.without_node(NodeName(key[0]))
            self._allocation_by_node.pop(NodeName(key[0]), None)
            return
        self._allocation_by_node[fact.name] = fact.allocation
        self.snapshot = self.snapshot.with_node(NodeView(fact.name, fact.labels, frozenset(fact.silent)))

    def _class(self, key: tuple[str, ...], fact: ClassObserved | None) -> None:
        self.capacity_changes += 1
        if fact is None:
            self.snapshot = self.snapshot.without_class(key[0])
        else:
            self.snapshot = self.snapshot.with_class(fact.device_class)

    def _taint_rule(self, key: tuple[str, ...], fact: TaintRuleObserved | None) -> None:
        self.capacity_changes += 1
        if fact is None:
            self.snapshot = self.snapshot.without_taint_rule(key[0])
        else:
            self.snapshot = self.snapshot.with_taint_rule(fact.rule)

    def _claim(self, key: tuple[str, ...], fact: ClaimObserved | None) -> None:
        uid = ClaimUID(key[0])
        before = self.claims.pop(uid, None)
        if before is not None and self._uid_by_label.get(before.claim.label) == uid:
            del self._uid_by_label[before.claim.label]
        if fact is not None:
            self.claims[uid] = fact
            self._uid_by_label[fact.claim.label] = uid
        else:
            self.waiting.pop(uid, None)

    def _answer(self, key: tuple[str, ...], fact: ClaimAnswered | None) -> None:
        uid = ClaimUID(key[0])
        if fact is None:
            self.answers.pop(uid, None)
        else:
            self.answers[uid] = fact
            self.doubtful |= {uid: None} if self.has_ended(uid) else {}
        if fact is not None and fact.refusal is not None:
            self.waiting[uid] = TraceParent("")
        else:
            self.waiting.pop(uid, None)

    def _ledger(self, key: tuple[str, ...], fact: LedgerWritten | None) -> None:
        pool = (NodeName(key[0]), DriverName(key[1]))
        before, ledger = self.ledger(pool), fact or empty(pool)
        self._ledgers[pool] = ledger
        was = {entry.claim.uid: entry for entry in before.entries}
        now = {entry.claim.uid: entry for entry in ledger.entries}
        for uid in was:
            self._held[uid].discard(pool)
        for uid in now:
            self._held[uid].add(pool)
        for uid in was.keys() | now.keys():
            if was.get(uid) != now.get(uid):
                self._compare(uid, pool, now.get(uid))
        if any(pool not in self._held[entry.claim.uid] for entry in before.entries):
            self.capacity_changes += 1  # somebody gave something back
        self.snapshot = self.snapshot.with_holdings(*pool, holdings_of(ledger))

    def _compare(self, uid: ClaimUID, pool: PoolKey, entry: LedgerEntry | None) -> None:
        """Does what the claim holds in this pool go with what is told of it?"""
        if (known := self.claims.get(uid)) is None:
            is_wrong = entry is not None and self.has_ended(uid)
        elif (allocation := known.claim.status.allocation) is None:
            is_wrong = entry is not None and entry.confirmed
        else:
            results = allocation.devices.results
            shown = tuple(each for each in results if self.pool_key(each.driver, each.pool) == pool)
            is_wrong = shown != (entry.results if entry else ())
        if is_wrong:
            self.doubtful[uid] = None


_HEAR: dict[str, Callable[[View, tuple[str, ...], Any], None]] = {
    INVENTORY.kind: View._inventory,  # noqa: SLF001 - this table is a part of the class
    NODES.kind: View._node,  # noqa: SLF001
    CLASSES.kind: View._class,  # noqa: SLF001
    TAINT_RULES.kind: View._taint_rule,  # noqa: SLF001
    CLAIMS.kind: View._claim,  # noqa: SLF001
    ANSWERS.kind: View._answer,  # noqa: SLF001
    LEDGERS.kind: View._ledger,  # noqa: SLF001
}


def slices_of(fact: PoolObserved) -> tuple[ResourceSlice, ...]:
    """The pool as the API's slices: devices and counters apart, as since Kubernetes 1.35."""
    parts: list[dict[str, Any]] = [{"devices": fact.devices}]
    if fact.shared_counters:
        parts.insert(0, {"shared_counters": fact.shared_counters})
    pool = ResourcePool(name=fact.pool, generation=fact.generation, resource_slice_count=len(parts))
    return tuple(
        ResourceSlice(spec=ResourceSliceSpec(driver=fact.driver, pool=pool, node_name=fact.node, **part))
        for part in parts
    )


def holdings_of(ledger: LedgerWritten) -> tuple[Holding, ...]:
    return tuple(
        Holding(claim=entry.claim.uid, label=entry.claim.label, results=entry.results)
        for entry in ledger.entries
    )
