"""What the publisher knows: the objects of Kubernetes and the facts of the stream, side by side.

Mutable, owned by one event loop, changed between awaits only. Every change names the keys that need
a look; nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from slicewire.common.bus.port import Heard
from slicewire.common.messages import (
    ANSWERS,
    CLAIMS,
    CLASSES,
    INVENTORY,
    NODES,
    PREPARED,
    TAINT_RULES,
    ClaimAnswered,
    ClaimObserved,
    ClaimPrepared,
    Fact,
    PoolObserved,
    TaintRuleObserved,
)
from slicewire.common.model import (
    AllocationResult,
    ClaimUID,
    DeviceClass,
    DeviceTaintRule,
    DriverName,
    Node,
    NodeName,
    ResourceClaim,
    ResourceSlice,
)
from slicewire.publisher import watched
from slicewire.publisher.core.alike import alike
from slicewire.publisher.core.attendance import Attendance, spoke
from slicewire.publisher.core.classes import wanted_classes
from slicewire.publisher.core.pods import Pod
from slicewire.publisher.keys import ClassKey, FactKey, Key, PoolKey, ReportKey, TurnKey
from slicewire.publisher.stored import StoredSlices, pool_of
from slicewire.publisher.waiting import Waiting


class Cluster:
    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.classes: dict[str, DeviceClass] = {}
        self.taint_rules: dict[str, DeviceTaintRule] = {}
        self.waiting = Waiting()
        self.pools: dict[PoolKey, PoolObserved] = {}
        self.forgotten: set[PoolKey] = set()
        """Pools that an agent once told of and has taken back: their slices are ours."""
        self.attendance: Attendance[PoolKey] | None = None
        """Which agents are there; None where nobody asks them."""
        self.told: dict[FactKey, Fact] = {}
        """Our facts, as the stream has them."""
        self.told_sequences: dict[FactKey, int] = {}
        self.answers: dict[ClaimUID, tuple[ClaimAnswered, Mapping[str, str]]] = {}
        """Answers with the headers that carry their trace."""
        self.prepared: dict[ClaimUID, dict[NodeName, ClaimPrepared]] = {}
        self.wanted_classes: dict[str, DeviceClass] = {}
        self.drivers: set[DriverName] = set()
        """Of every pool that was told of: ours."""
        self._pools_of: dict[NodeName, set[PoolKey]] = {}
        self._slices = StoredSlices()

    @property
    def claims(self) -> dict[ClaimUID, ResourceClaim]:
        return self.waiting.claims

    # What is heard on the bus.

    def hear(self, heard: Heard[Any]) -> Iterator[Key]:
        match heard.channel.kind:
            case INVENTORY.kind:
                yield from self._hear_pool(heard.key, heard.fact)
            case PREPARED.kind:
                yield self._hear_prepared(NodeName(heard.key[0]), ClaimUID(heard.key[1]), heard.fact)
            case ANSWERS.kind:
                yield from self._hear_answer(ClaimUID(heard.key[0]), heard.fact, heard.headers)
            case NODES.kind | CLASSES.kind | TAINT_RULES.kind | CLAIMS.kind:
                key = FactKey(heard.channel.kind, heard.key[0])
                self.keep_told(key, heard.fact, heard.sequence)
                yield key

    def _hear_prepared(self, node: NodeName, uid: ClaimUID, fact: ClaimPrepared | None) -> Key:
        told = self.prepared.setdefault(uid, {})
        if fact is None:
            told.pop(node, None)
        else:
            told[node] = fact
        if not told:
            del self.prepared[uid]
        return ReportKey(uid)

    def _hear_pool(self, key: tuple[str, ...], fact: PoolObserved | None) -> Iterator[Key]:
        pool = PoolKey(NodeName(key[0]), DriverName(key[1]))
        if fact is None:
            self.pools.pop(pool, None)
            self._pools_of.get(pool.node, set()).discard(pool)
            self.forgotten.add(pool)
            yield FactKey(NODES.kind, pool.node)
        else:
            self.pools[pool] = fact
            for stored in self._slices.of(pool):
                self.keep_slice(stored)
            self.forgotten.discard(pool)
            self.drivers.add(pool.driver)
            self._pools_of.setdefault(pool.node, set()).add(pool)
            for found in wanted_classes(fact.driver, fact.devices):
                if self.wanted_classes.setdefault(found.metadata.name, found) is found:
                    yield ClassKey(found.metadata.name)
        yield pool

    def _hear_answer(
        self, uid: ClaimUID, fact: ClaimAnswered | None, headers: Mapping[str, str]
    ) -> Iterator[Key]:
        if fact is None:
            self.answers.pop(uid, None)
        else:
            self.answers[uid] = (fact, headers)
        if uid in self.claims:
            yield from self._about_claim(self.claims[uid])

    def hear_from(self, key: PoolKey) -> tuple[Key, ...]:
        """Its agent is there: it has just said something."""
        known = self.attendance
        if known is None or (key in known.present and key not in known.missed):
            return ()
        self.attendance = spoke(known, key)
        return () if key in known.present else about_agent(key)

    def keep_told(self, key: FactKey, fact: Fact | None, sequence: int) -> None:
        """As it was heard, or as we have just told it; what is older is old news."""
        if sequence < self.told_sequences.get(key, 0):
            return
        self.told_sequences[key] = sequence
        if fact is None:
            self.told.pop(key, None)
        else:
            self.told[key] = fact

    def doubt_told(self, key: FactKey) -> None:
        """It was not as we knew it. What is there is about to be heard; but of a key that ended, even its
        end is forgotten after a while, and then it has never been told."""
        if key not in self.told:
            self.told_sequences.pop(key, None)

    # What Kubernetes shows.

    def listed(self, kind: watched.Kind[Any], objects: Sequence[Any]) -> Iterator[Key]:
        """All there is of a kind: what is known otherwise is gone."""
        there = {found.metadata.uid for found in objects}
        for known in self._known(kind):
            if known.metadata.uid not in there:
                yield from self.gone(kind, known)
        for found in objects:
            yield from self.seen(kind, found)

    def seen(self, kind: watched.Kind[Any], found: Any) -> Iterator[Key]:
        match found:
            case Node():
                self.nodes[found.metadata.name] = found
                yield from self._about_node(found)
            case DeviceClass():
                self.classes[found.metadata.name] = found
                yield FactKey(CLASSES.kind, found.metadata.name)
            case DeviceTaintRule():
                self.taint_rules[found.metadata.name] = found
                yield FactKey(TAINT_RULES.kind, found.metadata.name)
            case ResourceClaim():
                for changed in self.waiting.see_claim(found):
                    yield from self._about_claim(changed)
            case Pod():
                yield from self.waiting.see_pod(found)
            case ResourceSlice():
                self.keep_slice(found)
                yield pool_of(found)
            case _:
                raise AssertionError(f"nobody asked for {kind.name}")

    def gone(self, kind: watched.Kind[Any], found: Any) -> Iterator[Key]:
        match found:
            case Node():
                self.nodes.pop(found.metadata.name, None)
                yield from self._about_node(found)
            case DeviceClass():
                self.classes.pop(found.metadata.name, None)
                yield FactKey(CLASSES.kind, found.metadata.name)
                if found.metadata.name in self.wanted_classes:
                    yield ClassKey(found.metadata.name)
            case DeviceTaintRule():
                self.taint_rules.pop(found.metadata.name, None)
                yield FactKey(TAINT_RULES.kind, found.metadata.name)
            case ResourceClaim():
                self.waiting.lose_claim(found)
                yield from self._about_claim(found)
            case Pod():
                yield from self.waiting.lose_pod(found)
            case ResourceSlice():
                self.drop_slice(found.metadata.name)
                yield pool_of(found)
            case _:
                raise AssertionError(f"nobody asked for {kind.name}")

    def keep_slice(self, found: ResourceSlice) -> None:
        """As it is stored."""
        told = self.pools.get(pool_of(found))
        self._slices.keep(alike(found, told.devices) if told else found)

    def drop_slice(self, name: str) -> None:
        self._slices.drop(name)

    # What may be asked.

    def slices(self, key: PoolKey) -> tuple[ResourceSlice, ...]:
        """The stored slices of a pool, by name."""
        return self._slices.of(key)

    def answering(self) -> tuple[PoolKey, ...]:
        """The pools whose agents can be asked whether they are there."""
        return tuple(key for key, pool in self.pools.items() if pool.answers)

    def is_silent(self, key: PoolKey) -> bool:
        """Its agent has taken back what it told, or answers no more."""
        return key in self.forgotten or (self.attendance is not None and key in self.attendance.silent)

    def is_unheard(self, key: PoolKey) -> bool:
        """Whether its agent is there has yet to be found out."""
        pool, known = self.pools.get(key), self.attendance
        return pool is not None and pool.answers and known is not None and key not in known.present

    def pools_of(self, node: NodeName) -> frozenset[PoolKey]:
        """The pools that a node's agents told of."""
        return frozenset(self._pools_of.get(node, ()))

    def allocation(self, uid: ClaimUID) -> AllocationResult | None:
        """What the allocator has given the claim."""
        answer = self.answers.get(uid)
        return answer[0].allocation if answer else None

    def every_key(self) -> Iterator[Key]:
        """Everything that could be out of step: for a first look at all of it."""
        yield from self.pools
        yield from self.forgotten
        yield from self.told
        yield from (FactKey(NODES.kind, name) for name in self.nodes)
        yield from (FactKey(CLASSES.kind, name) for name in self.classes)
        yield from (FactKey(TAINT_RULES.kind, name) for name in self.taint_rules)
        yield from (FactKey(CLAIMS.kind, uid) for uid in self.claims)
        yield from (ReportKey(uid) for uid, claim in self.claims.items() if claim.status.devices)
        yield from map(ReportKey, self.prepared)
        yield from map(ClassKey, self.wanted_classes)
        yield from self.waiting.pods
        yield TurnKey()

    def _known(self, kind: watched.Kind[Any]) -> list[Any]:
        known: dict[str, Iterable[Any]] = {
            watched.NODES.name: self.nodes.values(),
            watched.CLASSES[0].name: self.classes.values(),
            watched.TAINT_RULES[0].name: self.taint_rules.values(),
            watched.CLAIMS[0].name: self.claims.values(),
            watched.PODS.name: self.waiting.pods.values(),
            watched.SLICES[0].name: self._slices.all(),
        }
        return list(known[kind.name])

    def _about_node(self, node: Node) -> Iterator[Key]:
        yield FactKey(NODES.kind, node.metadata.name)
        yield from self._pools_of.get(NodeName(node.metadata.name), ())

    def _about_claim(self, claim: ResourceClaim) -> Iterator[Key]:
        yield FactKey(CLAIMS.kind, claim.uid)
        if claim.status.devices or claim.uid in self.prepared:
            yield ReportKey(claim.uid)
        yield from self.waiting.about_pods(claim)


def about_agent(key: PoolKey) -> tuple[Key, ...]:
    """What is to be seen to when it falls silent, or speaks again."""
    return key, FactKey(NODES.kind, key.node)


def is_from_kubernetes(fact: Fact | None) -> bool:
    """Claims and taint rules that came over the bus are in the same channels, and not ours to forget."""
    match fact:
        case ClaimObserved(claim=found) | TaintRuleObserved(rule=found):
            return found.metadata.creation_timestamp is not None
        case _:
            return True
