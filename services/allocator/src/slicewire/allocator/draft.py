"""What is about to be committed: decisions, each seeing those before it, as one set of writes.

Synchronous and without side effects outside itself: a draft that is refused is thrown away.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from slicewire.allocator import ledger as ledgers
from slicewire.allocator.answering import answered, ref_of
from slicewire.allocator.core.changes import cheapest_change
from slicewire.allocator.core.fleet import Placement, place
from slicewire.allocator.core.nearest import nearest_miss
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.allocator.ledger import PoolKey
from slicewire.allocator.view import View, holdings_of
from slicewire.common.bus.port import Write
from slicewire.common.messages import (
    ANSWERS,
    CLAIMS,
    KUBE_SCHEDULER,
    LEDGERS,
    SLICEWIRE,
    Channel,
    ClaimAnswered,
    ClaimObserved,
    ExplainReply,
    Fact,
    LedgerEntry,
    LedgerWritten,
)
from slicewire.common.model import (
    AllocationResult,
    ClaimUID,
    DeviceAllocationResult,
    DeviceRequestAllocationResult,
    NodeName,
    ResourceClaim,
    TraceParent,
    Unsatisfiable,
)
from slicewire.common.model.packing import Packing

_Place = tuple[str, tuple[str, ...]]


class Draft:
    """Decisions on top of a view. The view must not change while the draft is being written."""

    def __init__(self, view: View) -> None:
        self._view = view
        self.before = view.snapshot
        self._snapshot = view.snapshot.with_packing(Packing.PACK)
        self._facts: dict[_Place, tuple[Channel[Any], Fact | None, ClaimUID]] = {}
        self._uid_by_label: dict[str, ClaimUID] = {}
        """Of the claims that are taken in here."""
        self._pools_of: dict[ClaimUID, set[PoolKey]] = defaultdict(set)
        """Where entries of a claim are written or removed here."""

    def __len__(self) -> int:
        return len(self._facts)

    @property
    def after(self) -> Snapshot:
        """What the writes make of the snapshot that was there `before`, and what was found out by them."""
        return self._snapshot

    def settle(self, uid: ClaimUID) -> None:
        """Look at a claim as it is known, and do what that asks for: release, adopt, or answer."""
        fact = self._claim(uid)
        if fact is None or self._was_given_back(fact):
            self._release(uid)
        if fact is None:
            return
        if fact.claim.status.allocation is not None:
            self._adopt(fact, fact.claim.status.allocation)
        elif fact.decided_by == SLICEWIRE:
            together = fact.together or (uid,)
            known = [member for name in together if (member := self._claim(name)) is not None]
            if len(known) == len(together):  # else the last to be heard settles them all
                self._answer(known)

    def admit(self, claims: Sequence[ResourceClaim]) -> tuple[ClaimAnswered, ...]:
        """Take claims in over the bus, and answer them. One that is known already keeps its answer."""
        together = tuple(claim.uid for claim in claims) if len(claims) > 1 else ()
        for claim in claims:
            if self._claim(claim.uid) is None:
                observed = ClaimObserved(claim=claim, decided_by=SLICEWIRE, together=together)
                self._put(CLAIMS, observed, claim.uid)
                self._uid_by_label[claim.label] = claim.uid
        return self._answer([known for claim in claims if (known := self._claim(claim.uid)) is not None])

    def forget(self, uid: ClaimUID) -> None:
        """Give back what the claim holds, and the claim itself."""
        self._release(uid)
        self._drop(CLAIMS, (uid,), uid)

    def explain(self, claim: ResourceClaim, decided_by: str = SLICEWIRE) -> ExplainReply:
        """What the claim holds, or would be answered now and what would help; nothing is kept.

        For a claim of kube-scheduler the nodes are those that kube-scheduler allocates.
        """
        if held := self._held(claim.uid):
            return ExplainReply(answer=self._as_held(claim, held), held=True)
        nodes = self._view.nodes_of(decided_by)
        if decided_by != SLICEWIRE:
            self._snapshot = self._snapshot.with_packing(Packing.FIRST_FIT)
        (answer,) = answered([claim], self._place([claim], nodes))
        if answer.refusal is None or answer.refusal.fatal or not nodes:
            return ExplainReply(answer=answer)
        return ExplainReply(
            answer=answer,
            nearest=nearest_miss([claim], self._snapshot, nodes),
            change=cheapest_change([claim], self._snapshot, nodes, answer.refusal),
        )

    def _as_held(self, claim: ResourceClaim, keys: Sequence[PoolKey]) -> ClaimAnswered:
        """The answer that amounts to what the ledger shows, whoever decided it."""
        entries = [entry for key in keys if (entry := self._entry(key, claim.uid)) is not None]
        results = tuple(result for entry in entries for result in entry.results)
        devices = DeviceAllocationResult(results=results, config=entries[0].config)
        return ClaimAnswered(
            claim=ref_of(claim), allocation=AllocationResult(devices=devices), node=keys[0][0]
        )

    def would_fit(
        self, claims: Sequence[ResourceClaim], releasing: Sequence[ClaimUID]
    ) -> tuple[ClaimAnswered, ...]:
        """What the claims would be answered together, once those others were gone; nothing is kept."""
        for uid in releasing:
            self._release(uid)
        return answered(claims, self._place(claims, self._view.nodes_of()))

    def writes(self, traces: Mapping[ClaimUID, TraceParent]) -> tuple[Write, ...]:
        """All of it, each guarded by what was known of its key, in the order claim, ledger, answer."""
        ordered = sorted(self._facts.items(), key=lambda item: _ORDER[item[0][0]])
        return tuple(
            Write(
                channel,
                key,
                ledgers.traced(fact, traces) if isinstance(fact, LedgerWritten) else fact,
                expected=self._view.sequence(channel, key),
                trace=traces.get(uid, TraceParent("")),
            )
            for (_, key), (channel, fact, uid) in ordered
        )

    def _answer(self, facts: Sequence[ClaimObserved]) -> tuple[ClaimAnswered, ...]:
        """Answers of all, in order; those that wait are placed together, beside what the others hold."""
        held = [key for fact in facts for key in self._held(fact.claim.uid)]
        nodes = (held[0][0],) if held else self._view.nodes_of()
        waiting = [fact.claim for fact in facts if not self._holds(fact.claim.uid)]
        if waiting:
            decided = self._place(waiting, nodes)
            for claim, answer in zip(waiting, answered(waiting, decided), strict=True):
                self._give(claim, answer)
        for fact in facts:
            self._affirm(fact.claim)
        return tuple(self._answer_of(fact.claim.uid) for fact in facts)

    def _place(self, claims: Sequence[ResourceClaim], nodes: Sequence[NodeName]) -> Placement | Unsatisfiable:
        if nodes:
            return place(claims, self._snapshot, nodes)
        if not self._snapshot.nodes:
            return Unsatisfiable(message="no node has told its devices yet")
        return Unsatisfiable(
            message="no node is allocated by Slicewire; label one slicewire.dev/allocation=slicewire"
        )

    def _give(self, claim: ResourceClaim, answer: ClaimAnswered) -> None:
        if answer.allocation is not None:
            self._enter(claim, answer.allocation, SLICEWIRE, confirmed=False)
        if answer != self._found(ANSWERS, (claim.uid,), self._view.answers.get(claim.uid)):
            self._put(ANSWERS, answer, claim.uid)

    def _affirm(self, claim: ResourceClaim) -> None:
        """An answer stands for the claim as it is told now, not as it was when it was decided.
        A claim that came over the bus is told once, together with its answer."""
        if claim.metadata.creation_timestamp is None:
            return
        answer = self._found(ANSWERS, (claim.uid,), self._view.answers.get(claim.uid))
        sequence = self._view.sequence(CLAIMS, (claim.uid,))
        if isinstance(answer, ClaimAnswered) and answer.allocation and answer.claim_sequence != sequence:
            self._put(ANSWERS, msgspec.structs.replace(answer, claim_sequence=sequence), claim.uid)

    def _adopt(self, fact: ClaimObserved, allocation: AllocationResult) -> None:
        """Kubernetes shows an allocation: ours, confirmed by it, or another's, which we follow."""
        uid = fact.claim.uid
        wanted = self._by_pool(allocation)
        found = {key: self._entry(key, uid) for key in self._held(uid)}
        same = wanted == {key: entry.results for key, entry in found.items() if entry}
        if same and all(entry.confirmed for entry in found.values() if entry):
            return
        ours = same and all(entry.origin == SLICEWIRE for entry in found.values() if entry)
        for key in found.keys() - wanted.keys():
            self._put_ledger(key, ledgers.without_claim(self._ledger(key), uid), uid)
        self._enter(fact.claim, allocation, SLICEWIRE if ours else KUBE_SCHEDULER, confirmed=True)

    def _release(self, uid: ClaimUID) -> None:
        for key in self._held(uid):
            self._put_ledger(key, ledgers.without_claim(self._ledger(key), uid), uid)
        self._drop(ANSWERS, (uid,), uid)

    def _enter(
        self, claim: ResourceClaim, allocation: AllocationResult, origin: str, *, confirmed: bool
    ) -> None:
        for key, results in self._by_pool(allocation).items():
            known = self._entry(key, claim.uid)
            entry = LedgerEntry(
                claim=ref_of(claim),
                results=results,
                config=allocation.devices.config,
                origin=origin,
                confirmed=confirmed,
                trace=known.trace if known else TraceParent(""),
                pod_claim_name=claim.pod_claim_name,
            )
            self._put_ledger(key, ledgers.with_entry(self._ledger(key), entry), claim.uid)

    def _was_given_back(self, fact: ClaimObserved) -> bool:
        """Held here, but Kubernetes shows no allocation, and not because it has yet to be written."""
        entries = [self._entry(key, fact.claim.uid) for key in self._held(fact.claim.uid)]
        return fact.claim.status.allocation is None and any(
            entry is not None and (entry.confirmed or {entry.origin, fact.decided_by} != {SLICEWIRE})
            for entry in entries
        )

    def _by_pool(
        self, allocation: AllocationResult
    ) -> dict[PoolKey, tuple[DeviceRequestAllocationResult, ...]]:
        found: dict[PoolKey, list[DeviceRequestAllocationResult]] = defaultdict(list)
        for result in allocation.devices.results:
            if ledgers.can_be_told(key := self._view.pool_key(result.driver, result.pool)):
                found[key].append(result)
        return {key: tuple(results) for key, results in found.items()}

    def _claim(self, uid: ClaimUID) -> ClaimObserved | None:
        return cast("ClaimObserved | None", self._found(CLAIMS, (uid,), self._view.claims.get(uid)))

    def claim_of(self, label: str) -> ResourceClaim | None:
        """The claim that is known, or drafted, as `namespace/name`."""
        for uid in (self._uid_by_label.get(label), self._view.uid_of(label)):
            known = self._claim(uid) if uid else None
            if known is not None:
                return known.claim
        return None

    def was_released(self, uid: ClaimUID) -> bool:
        """There was a claim under this UID, and there is none any more."""
        drafted = (CLAIMS.kind, (uid,)) in self._facts
        return self._claim(uid) is None and (drafted or self._view.has_ended(uid))

    def _answer_of(self, uid: ClaimUID) -> ClaimAnswered:
        answer = self._found(ANSWERS, (uid,), self._view.answers.get(uid))
        if not isinstance(answer, ClaimAnswered):
            raise ledgers.HeardInPart(uid)
        return answer

    def _ledger(self, key: PoolKey) -> LedgerWritten:
        return self._found(LEDGERS, key, self._view.ledger(key)) or ledgers.empty(key)

    def _entry(self, key: PoolKey, uid: ClaimUID) -> LedgerEntry | None:
        return next((entry for entry in self._ledger(key).entries if entry.claim.uid == uid), None)

    def _held(self, uid: ClaimUID) -> tuple[PoolKey, ...]:
        candidates = {*self._pools_of.get(uid, ()), *self._view.held(uid)}
        return tuple(sorted(key for key in candidates if self._entry(key, uid)))

    def _holds(self, uid: ClaimUID) -> bool:
        """Allocated already; a claim that asks for nothing holds nothing but has its answer."""
        answer = self._found(ANSWERS, (uid,), self._view.answers.get(uid))
        return bool(answer and answer.allocation) or bool(self._held(uid))

    def _found(self, channel: Channel[Any], key: tuple[str, ...], known: Any) -> Any:
        drafted = self._facts.get((channel.kind, key))
        return known if drafted is None else drafted[1]

    def _put(self, channel: Channel[Any], fact: Fact, uid: ClaimUID) -> None:
        key = channel.key(fact)
        self._facts[channel.kind, key] = (channel, fact, uid)

    def _put_ledger(self, key: PoolKey, ledger: LedgerWritten, uid: ClaimUID) -> None:
        self._put(LEDGERS, ledger, uid)
        self._pools_of[uid].add(key)
        self._snapshot = self._snapshot.with_holdings(*key, holdings_of(ledger))

    def _drop(self, channel: Channel[Any], key: tuple[str, ...], uid: ClaimUID) -> None:
        known = self._view.claims.get(uid) if channel.kind == CLAIMS.kind else self._view.answers.get(uid)
        if self._found(channel, key, known) is not None:
            self._facts[channel.kind, key] = (channel, None, uid)


_ORDER = {CLAIMS.kind: 0, LEDGERS.kind: 1, ANSWERS.kind: 2}
"""A follower that hears an answer has heard its claim and its ledger before."""
