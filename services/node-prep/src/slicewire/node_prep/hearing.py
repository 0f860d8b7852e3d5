"""What the bus says of this node: its pool, its ledger, and what we ourselves have told.

It keeps the latest of each and decides nothing. A replay counts only when it is complete.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import msgspec

from slicewire.common.bus.port import Bus, BusUnavailable, CaughtUp, Heard
from slicewire.common.messages import (
    INVENTORY,
    LEDGERS,
    PREPARED,
    ClaimPrepared,
    ClaimRef,
    LedgerWritten,
    PoolObserved,
)
from slicewire.common.model import ClaimUID, DriverName, NodeName
from slicewire.node_prep.core.node import Allocation, Claim, Node

_NO_EVENT = 0
"""The first is 1. To be told so takes one question and no search: the cheapest sign of life there is."""

_MOMENT_SECONDS = 0.005
_MOST_MOMENTS = 10
"""What follows from changes waits for quiet no longer: some claims take seconds."""


class Told(msgspec.Struct, frozen=True):
    """A fact of ours as the bus has it; None where it was forgotten."""

    sequence: int
    fact: ClaimPrepared | None


class Picture(msgspec.Struct, frozen=True):
    """Everything heard so far."""

    node: Node
    told: Mapping[ClaimUID, Told] = msgspec.field(default_factory=dict)
    pool: PoolObserved | None = None

    def with_heard(self, heard: Heard[PoolObserved | LedgerWritten | ClaimPrepared]) -> Picture:
        replaced = msgspec.structs.replace
        if heard.channel.kind == PREPARED.kind:
            assert heard.fact is None or isinstance(heard.fact, ClaimPrepared)
            return self.with_told(ClaimUID(heard.key[1]), Told(heard.sequence, heard.fact))
        if heard.channel.kind == LEDGERS.kind:
            assert heard.fact is None or isinstance(heard.fact, LedgerWritten)
            return replaced(self, node=_with_ledger(self.node, heard.fact))
        assert heard.fact is None or isinstance(heard.fact, PoolObserved)
        return self.with_pool(heard.fact)

    def with_pool(self, fact: PoolObserved | None) -> Picture:
        return msgspec.structs.replace(self, node=_with_pool(self.node, fact), pool=fact)

    def with_told(self, uid: ClaimUID, told: Told) -> Picture:
        """An echo of what is older than what we know changes nothing."""
        known = self.told.get(uid)
        if known is not None and known.sequence > told.sequence:
            return self
        return msgspec.structs.replace(self, told={**self.told, uid: told})


class Hearing:
    """`is_our_word`: whether what this node tells is ours to tell. Another instance may have had the last
    turn (turns.py): then it knows better."""

    def __init__(
        self, node: NodeName, driver: DriverName, is_our_word: Callable[[], bool] = lambda: True
    ) -> None:
        self.is_our_word = is_our_word
        self._nothing = Picture(Node(name=node, driver=driver))
        self._picture = self._nothing
        self._changed = asyncio.Condition()
        self._changes = 0
        self._asked = self._waiting = 0
        """How many questions there were, and how many have no answer yet."""
        self._bus: Bus | None = None
        """Only once it has been heard to the end."""
        self._vouched_at = time.monotonic()
        self.caught_up = False

    @property
    def node(self) -> Node:
        return self._picture.node

    @property
    def told(self) -> Mapping[ClaimUID, Told]:
        return self._picture.told

    @property
    def pool(self) -> PoolObserved | None:
        """What discovery said last."""
        return self._picture.pool

    async def remember(self, fact: PoolObserved) -> bool:
        """What was heard before this process began; nothing where it is another node's, or the bus was heard
        since. The ledger is not heard by it, and nobody vouches for it."""
        if self.caught_up or (fact.node, fact.driver) != (self.node.name, self.node.driver):
            return False
        self._picture = self._picture.with_pool(fact)
        await self.changed()
        return True

    def silent_seconds(self) -> float:
        """How long nobody has vouched any more for what is known."""
        return time.monotonic() - self._vouched_at

    async def is_live(self) -> bool:
        """Whether the bus answers now. Following waits out what it can, and says nothing of it."""
        if self._bus is None:
            return False
        try:
            await self._bus.as_of(_NO_EVENT)
        except BusUnavailable:
            return False
        self._vouched_at = time.monotonic()
        return True

    async def follow(self, bus: Bus) -> None:
        """Until the bus cannot vouch for completeness any more: then it raises `BusUnavailable`."""
        try:
            await self._follow(bus)
        finally:
            self._bus = None

    async def _follow(self, bus: Bus) -> None:
        node, driver = self.node.name, self.node.driver
        channels = (INVENTORY.under(node, driver), LEDGERS.under(node, driver), PREPARED.under(node))
        replayed: Picture | None = self._nothing
        async for heard in bus.follow(*channels):
            match heard:
                case CaughtUp():
                    assert replayed is not None, "a follower catches up once"
                    self._picture, replayed = replayed, None
                    self.caught_up, self._bus = True, bus
                case Heard() if replayed is not None:
                    replayed = replayed.with_heard(heard)
                    continue
                case Heard():
                    self._picture = self._picture.with_heard(heard)
            self._vouched_at = time.monotonic()
            await self.changed()

    async def note(self, uid: ClaimUID, told: Told) -> None:
        """We have told this ourselves and need not wait for its echo."""
        self._picture = self._picture.with_told(uid, told)
        await self.changed()

    async def changed(self) -> None:
        """Wake everybody who waits for a change."""
        async with self._changed:
            self._changes += 1
            self._changed.notify_all()

    async def next_change(self, seen: int, at_most_seconds: float | None = None) -> int:
        """Until there is a change after number `seen`, or the time is over; the number of the latest."""
        try:
            async with asyncio.timeout(at_most_seconds), self._changed:
                await self._changed.wait_for(lambda: self._changes > seen)
        except TimeoutError:
            pass
        return self._changes

    async def next_changes(self, seen: int, at_most_seconds: float | None = None) -> int:
        """As `next_change`, and once it is quiet: whoever asked has the answer by then, and changes that come
        together are one."""
        if await self.next_change(seen, at_most_seconds) > seen:
            await self._quiet()
        return self._changes

    async def _quiet(self) -> None:
        """For a moment nobody has asked, or waited for an answer; or it has lasted long enough."""
        for _ in range(_MOST_MOMENTS):
            asked = self._asked
            await asyncio.sleep(_MOMENT_SECONDS)
            if not self._waiting and self._asked == asked:
                return

    @contextmanager
    def asked(self) -> Iterator[None]:
        """Somebody waits for an answer while it is open."""
        self._asked += 1
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    async def wait_for(self, is_so: Callable[[Node], bool], at_most_seconds: float) -> None:
        """Until it is so, or the time is over: look yourself which it was."""
        try:
            async with asyncio.timeout(at_most_seconds), self._changed:
                await self._changed.wait_for(lambda: is_so(self.node))
        except TimeoutError:
            return


def claim_of(reference: ClaimRef) -> Claim:
    return Claim(uid=reference.uid, namespace=reference.namespace, name=reference.name)


def _with_pool(node: Node, fact: PoolObserved | None) -> Node:
    if fact is None:
        return msgspec.structs.replace(node, pool=None, devices={}, unreadable={})
    return msgspec.structs.replace(
        node,
        pool=fact.pool,
        devices={device.name: device for device in fact.devices},
        unreadable={one.what: one.reason for one in fact.unreadable},
    )


def _with_ledger(node: Node, fact: LedgerWritten | None) -> Node:
    ledger = fact or LedgerWritten(node=node.name, driver=node.driver)
    allocations = {
        entry.claim.uid: Allocation(
            claim_of(entry.claim),
            entry.results,
            entry.config,
            entry.trace,
            entry.pod_claim_name,
            entry.pod_uids,
        )
        for entry in ledger.entries
    }
    rivals = {conflict.device.device: tuple(map(claim_of, conflict.claims)) for conflict in ledger.conflicts}
    return msgspec.structs.replace(node, allocations=allocations, rivals=rivals)
