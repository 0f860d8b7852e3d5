"""Requests that ask for exactly the same: which of them gets which devices makes no difference.

If two such requests swapped their devices, the answer would be as good; the search need only look at
the one where the earlier request has the earlier device, and that is the one it would find first. So
nothing is lost, and eight equal requests cost one combination instead of 40,320 permutations.
"""

from __future__ import annotations

from collections.abc import Hashable

from slicewire.allocator.core.attempt import Attempt
from slicewire.allocator.core.options import Option, Options

Twins = tuple[int | None, ...]
"""For each request the last one before it that asks for the same, if any."""


def twins(options: Options, attempt: Attempt) -> Twins:
    if len(options) == 1:
        return (None,)
    latest: dict[Hashable, int] = {}
    found: list[int | None] = []
    for index, of_request in enumerate(options):
        kind = _kind(of_request, attempt)
        found.append(None if kind is None else _in_the_same_order(options, latest.get(kind), index))
        if kind is not None:
            latest[kind] = index
    return tuple(found)


def _in_the_same_order(options: Options, before: int | None, index: int) -> int | None:
    """Which device is the earlier one is only clear where both requests try them in one order."""
    if before is None:
        return None
    theirs, ours = options[before][0].candidates, options[index][0].candidates
    return before if theirs is ours or theirs == ours else None


def _kind(of_request: tuple[Option, ...], attempt: Attempt) -> Hashable | None:
    """None for a request that is never a twin: one with a choice, or with its devices given.

    Requests of two claims are alike only where nothing else binds either to the rest of its claim.
    """
    option = of_request[0]
    asked = option.alternative
    if len(of_request) > 1 or option.is_all:
        return None
    constraints = attempt.constraints(asked.claim_index)
    bonds = frozenset(at for at, each in enumerate(constraints) if each.covers(asked.name))
    is_bound = bool(bonds) or asked.admin_access
    capacity = frozenset((name, amount.value) for name, amount in asked.capacity.items())
    return (
        asked.claim_index if is_bound else None,
        bonds,
        asked.selection.judge,
        option.count,
        asked.admin_access,
        asked.tolerations,
        capacity,
        tuple((each.name, each.program) for each in asked.derivations),
    )
