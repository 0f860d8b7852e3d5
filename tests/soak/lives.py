"""The life of each claim, as the history tells it: what it was, what it held, what may change that."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from slicewire.common.messages import (
    KUBE_SCHEDULER,
    SLICEWIRE,
    ClaimAnswered,
    ClaimObserved,
    LedgerWritten,
)
from slicewire.common.model import AllocationResult, ClaimUID, DeviceRequestAllocationResult

Devices = frozenset[str]
"""What a claim holds: device and share, each in one word."""
NOTHING: Devices = frozenset()
PoolKey = tuple[str, ...]


def devices(results: Iterable[DeviceRequestAllocationResult]) -> Devices:
    return frozenset(
        f"{result.device_id}{'#' + result.share_id if result.share_id else ''}" for result in results
    )


def shown(fact: ClaimObserved | None) -> Devices | None:
    """What Kubernetes shows in the claim's status; None for no allocation."""
    allocation = fact.claim.status.allocation if fact else None
    return None if allocation is None else devices(allocation.devices.results)


def answered(allocation: AllocationResult | None) -> Devices | None:
    """None for a refusal."""
    return None if allocation is None else devices(allocation.devices.results)


class Life:
    """One claim. `sequence`s are those of the state."""

    def __init__(self, uid: ClaimUID) -> None:
        self.uid = uid
        self.fact: ClaimObserved | None = None
        self.ended_at = 0
        """When its end was told; 0 while it lives or is unknown."""
        self.of_kubernetes = False
        self.together: tuple[ClaimUID, ...] = ()
        self.answer: ClaimAnswered | None = None
        self.answers: list[tuple[int, Devices | None]] = []
        self.by_pool: dict[PoolKey, Devices] = {}
        self.holdings: list[tuple[int, Devices]] = []
        self.written_at = 0
        """The last ledger that said something else of it than the one before."""
        self.once_shown: set[Devices] = set()
        self.may_change = False
        """Something has been told since it got what it holds that takes that away."""

    @property
    def label(self) -> str:
        return f"claim {self.uid}"

    @property
    def held(self) -> Devices:
        return frozenset().union(*self.by_pool.values())

    @property
    def is_ours(self) -> bool:
        """Slicewire decides it, and nobody else has."""
        return self.fact is not None and self.fact.decided_by == SLICEWIRE and shown(self.fact) is None

    def told(self, fact: ClaimObserved | None, sequence: int) -> None:
        before = shown(self.fact)
        now = shown(fact)
        if fact is None or (before is not None and now != before) or (now is not None and now != self.held):
            self.may_change = True
        if now is not None:
            self.once_shown.add(now)
        if fact is not None:
            self.of_kubernetes = fact.claim.metadata.creation_timestamp is not None
            self.together = fact.together
            self.may_change |= fact.decided_by == KUBE_SCHEDULER and now is None
        self.fact = fact
        self.ended_at = 0 if fact is not None else self.ended_at or sequence

    def may_lose(self, held: Devices) -> bool:
        """Whether there is a reason for it to hold something else than this from now on."""
        now = shown(self.fact)
        given_back = now is None and held in self.once_shown
        return self.may_change or self.fact is None or given_back or (now is not None and now != held)


class Lives:
    """All claims, and who holds what in each ledger."""

    def __init__(self) -> None:
        self.by_uid: dict[ClaimUID, Life] = {}
        self.ledgers: dict[PoolKey, LedgerWritten] = {}

    def of(self, uid: ClaimUID) -> Life:
        return self.by_uid.setdefault(uid, Life(uid))

    def written(self, key: PoolKey, ledger: LedgerWritten | None, sequence: int) -> set[ClaimUID]:
        """Take a ledger in; returns the claims that hold something else in it than before."""
        before = self._holders(self.ledgers.get(key))
        now = self._holders(ledger)
        if ledger is None:
            self.ledgers.pop(key, None)
        else:
            self.ledgers[key] = ledger
        changed = {uid for uid in before | now if before.get(uid) != now.get(uid)}
        for uid in changed:
            life = self.of(uid)
            life.written_at = sequence
            life.by_pool.pop(key, None)
            if uid in now:
                life.by_pool[key] = now[uid]
        return changed

    def _holders(self, ledger: LedgerWritten | None) -> dict[ClaimUID, Devices]:
        found: dict[ClaimUID, set[str]] = defaultdict(set)
        for entry in ledger.entries if ledger else ():
            found[entry.claim.uid] |= devices(entry.results)
        return {uid: frozenset(held) for uid, held in found.items()}
