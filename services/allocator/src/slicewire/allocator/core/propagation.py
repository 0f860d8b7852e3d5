"""What constraints exclude before any device is picked: values that too few devices have.

Sound: a device is only left out where no answer can have it. Refuses to search.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import or_

import msgspec

from slicewire.allocator.core.attempt import Attempt
from slicewire.allocator.core.constraints import Constraint, DistinctAttribute, MatchAttribute
from slicewire.allocator.core.marks import Groups, groups
from slicewire.allocator.core.options import Options, least, united
from slicewire.allocator.core.stock import Stock


class _Covered(msgspec.Struct, frozen=True, eq=False):
    """A constraint, and the requests that it binds whichever of their alternatives is taken."""

    constraint: Constraint
    groups: Groups
    requests: tuple[int, ...]
    devices: int
    """How many devices it binds at least."""


def confined(options: Options, attempt: Attempt, stock: Stock) -> Options | None:
    """The options with the devices that the constraints leave them; None where too few are left."""
    for claim_index in dict.fromkeys(of_request[0].alternative.claim_index for of_request in options):
        constraints = attempt.constraints(claim_index)
        covered = [_covered(each, claim_index, options, stock) for each in constraints]
        for each in covered:
            narrowed = _confined(each, covered, options, stock)
            if narrowed is None:
                return None
            options = _within(options, claim_index, each.constraint, narrowed)
    return options


def _covered(constraint: Constraint, claim_index: int, options: Options, stock: Stock) -> _Covered:
    requests = tuple(
        index
        for index, of_request in enumerate(options)
        if of_request[0].alternative.claim_index == claim_index
        and all(constraint.covers(option.alternative.name) for option in of_request)
    )
    devices = sum(least(options[index]) for index in requests)
    return _Covered(constraint, groups(constraint, stock), requests, devices)


def _confined(this: _Covered, all_of_claim: Iterable[_Covered], options: Options, stock: Stock) -> int | None:
    """The devices that the constraint lets its requests have."""
    if this.devices < 2:
        return stock.layout.everything & ~this.groups.lacking
    if isinstance(this.constraint, MatchAttribute):
        distinct = [each for each in all_of_claim if isinstance(each.constraint, DistinctAttribute)]
        return _of_one_value(this, distinct, options, stock.layout.shareable) or None
    served = reduce(or_, (united(options[index]) for index in this.requests))
    if _different(this.groups, served) < this.devices:
        return None
    return stock.layout.everything & ~this.groups.lacking


def _of_one_value(this: _Covered, distinct: Iterable[_Covered], options: Options, shareable: int) -> int:
    """All devices with a value that enough of them have, for each request and for all together."""
    viable = 0
    for holders in this.groups.by_value.values():
        served = [united(options[index]) & holders for index in this.requests]
        together = reduce(or_, served)
        if (
            all(
                mask.bit_count() >= least(options[index])
                for mask, index in zip(served, this.requests, strict=True)
            )
            and (together & shareable or together.bit_count() >= this.devices)
            and all(_differ(each, this, options, together) for each in distinct)
        ):
            viable |= holders
    return viable


def _differ(distinct: _Covered, match: _Covered, options: Options, together: int) -> bool:
    """Whether the requests that both bind find as many different values as they need devices."""
    both = [index for index in distinct.requests if index in match.requests]
    devices = sum(least(options[index]) for index in both)
    return devices < 2 or _different(distinct.groups, together) >= devices


def _different(found: Groups, mask: int) -> int:
    """The most devices of which no two share a value; one without a value may come first."""
    values = sum(1 for holders in found.by_value.values() if holders & mask)
    return values + bool(found.valueless & mask)


def _within(options: Options, claim_index: int, constraint: Constraint, mask: int) -> Options:
    return tuple(
        tuple(
            option.within(mask)
            if option.alternative.claim_index == claim_index and constraint.covers(option.alternative.name)
            else option
            for option in of_request
        )
        for of_request in options
    )
