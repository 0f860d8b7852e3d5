"""Shared counters: the budget of a pool, what claims left of it, and what the search draws on top.

Keyed by driver and pool: two drivers may well give their pools the same name, that of the node.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from slicewire.allocator.core.holdings import Amount, Usage
from slicewire.allocator.core.objections import Objection, text
from slicewire.allocator.core.stock import Candidate, CounterName, Counters, Pool, drawn_by
from slicewire.common.model import Device, PoolID, Rule


class CounterShort(Objection, frozen=True):
    """The device would draw more of a counter than is left; `amount` 0: it was overdrawn before."""

    RULE = Rule.COUNTER
    counter: CounterName
    amount: Amount
    left: Amount

    def __str__(self) -> str:
        if not self.amount:
            return f"counter {self.counter} of its pool is overdrawn by {text(-self.left)}"
        return f"counter {self.counter} is short by {text(self.amount - self.left)}"


def left_by(usage: Usage, pool: Pool) -> Counters:
    """The pool's counters less those of its devices in use, on whichever node. May be negative."""
    return pool.budget.recall(usage, lambda: _left(usage, pool))


def _left(usage: Usage, pool: Pool) -> Counters:
    left = dict(pool.counters)
    for device in _published(pool):
        if device.consumes_counters and (device.name in usage.dedicated or device.name in usage.shared):
            for name, amount in drawn_by(device).items():
                left[name] -= amount
    return left


def _published(pool: Pool) -> Iterable[Device]:
    yield from (candidate.device for candidate in pool.devices)
    yield from pool.elsewhere


class Budgets:
    """What is left in each pool while an attempt is made. `draw` and `give_back` mirror each other."""

    def __init__(self, pools: Mapping[PoolID, Pool], usages: Mapping[PoolID, Usage]) -> None:
        self._pools = pools
        self._usages = usages
        self._left: dict[PoolID, dict[CounterName, Amount]] = {}
        self._overdrawn: dict[PoolID, CounterShort | None] = {}
        """Found when the budget is opened: the search itself never overdraws."""

    def shortage(self, candidate: Candidate) -> CounterShort | None:
        """A counter that was overdrawn before blocks its whole pool: the pool's sums cannot be trusted."""
        left = self._of(candidate.pool_id)
        for name, amount in candidate.draws.items():
            if amount > left[name]:
                return CounterShort(name, amount, left[name])
        return self._overdrawn[candidate.pool_id]

    def draw(self, candidate: Candidate) -> None:
        left = self._of(candidate.pool_id)
        for name, amount in candidate.draws.items():
            left[name] -= amount

    def give_back(self, candidate: Candidate) -> None:
        left = self._of(candidate.pool_id)
        for name, amount in candidate.draws.items():
            left[name] += amount

    def _of(self, id_: PoolID) -> dict[CounterName, Amount]:
        if id_ not in self._left:
            left = dict(left_by(self._usages[id_], self._pools[id_]))
            self._left[id_] = left
            self._overdrawn[id_] = _overdrawn(left) if min(left.values(), default=0) < 0 else None
        return self._left[id_]


def _overdrawn(left: Counters) -> CounterShort:
    return next(CounterShort(name, 0, amount) for name, amount in left.items() if amount < 0)
