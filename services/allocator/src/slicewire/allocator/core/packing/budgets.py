"""What a partition takes away: which of the others that draw from the same counters fit no more beside it.

Read from the counters alone, so that it holds for any driver's partitions. One budget with its devices
has a few hundred states in practice; each is worked out once, for all budgets that are alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from slicewire.allocator.core.holdings import Amount

Left = tuple[Amount, ...]
"""What is left of each counter of a budget, in its order."""
Draw = tuple[tuple[int, Amount], ...]
"""What one device takes: places of counters, and amounts."""

SCALE = 1_000
"""The worth of a device that takes the whole budget."""
MOST_STATES = 4_096
"""States that a budget remembers before it begins anew."""
MOST_EXACT = 64
"""Devices on one budget up to which pairs are compared in the state at hand; beyond, in the untouched one."""


class Budget:
    """Counters and the devices that draw from them, without names: `totals[i]` belongs to counter i.

    Everything is a function of the arguments; what is kept are answers.
    """

    __slots__ = ("_draws", "_exclusive", "_losses", "totals", "worth")

    def __init__(self, totals: Left, draws: Sequence[Draw]) -> None:
        self.totals = totals
        self.worth = tuple(_worth(draw, totals) for draw in draws)
        self._draws = tuple(draws)
        self._exclusive = tuple(
            _fits_not_beside(draw, totals, draws) | 1 << at for at, draw in enumerate(draws)
        )
        self._losses: dict[Left, tuple[int | None, ...]] = {}

    def losses(self, left: Left) -> tuple[int | None, ...]:
        """For each device the worth of all that would fit no more, itself included; None: it does not fit."""
        known = self._losses.get(left)
        if known is None:
            if len(self._losses) >= MOST_STATES:
                self._losses.clear()
            known = self._losses[left] = self._weighed(left)
        return known

    def after(self, member: int, left: Left) -> Left:
        """What is left once this device is taken."""
        amounts = list(left)
        for counter, amount in self._draws[member]:
            amounts[counter] -= amount
        return tuple(amounts)

    def open(self, left: Left) -> int:
        """The worth of all that fit, each by itself."""
        return sum(
            worth for worth, loss in zip(self.worth, self.losses(left), strict=True) if loss is not None
        )

    def _weighed(self, left: Left) -> tuple[int | None, ...]:
        fitting = [at for at, draw in enumerate(self._draws) if _fits(draw, left)]
        losses: list[int | None] = [None] * len(self._draws)
        for at in fitting:
            losses[at] = sum(self.worth[other] for other in fitting if self._is_lost(other, at, left))
        return tuple(losses)

    def _is_lost(self, other: int, taken: int, left: Left) -> bool:
        if self._exclusive[taken] >> other & 1:
            return True
        return len(self._draws) <= MOST_EXACT and not _fits(
            self._draws[other], left, dict(self._draws[taken])
        )


@lru_cache(maxsize=256)
def budget(totals: Left, draws: tuple[Draw, ...]) -> Budget:
    """One for all that are alike: the GPUs of one model on all nodes share what is worked out."""
    return Budget(totals, draws)


def share_left(left: Left, totals: Left) -> int:
    """How much of a budget is left, out of `SCALE`, on the average over its counters."""
    parts = [max(0, amount) * SCALE // total for amount, total in zip(left, totals, strict=True) if total]
    return sum(parts) // len(parts) if parts else 0


def _fits(draw: Draw, left: Left, beside: Mapping[int, Amount] | None = None) -> bool:
    if not beside:
        return all(amount <= left[counter] for counter, amount in draw)
    return all(amount <= left[counter] - beside.get(counter, 0) for counter, amount in draw)


def _fits_not_beside(draw: Draw, totals: Left, others: Sequence[Draw]) -> int:
    """As bits, those that cannot be had together with this one even of the whole budget."""
    beside = dict(draw)
    return sum(1 << at for at, other in enumerate(others) if not _fits(other, totals, beside))


def _worth(draw: Draw, totals: Left) -> int:
    """Its share of the budget: on the average over all counters, drawn from or not; never nothing."""
    shares = sum(amount * SCALE // totals[counter] for counter, amount in draw if totals[counter])
    return max(1, int(shares) // max(1, len(totals)))
