"""In which order the devices of a node are tried for one alternative of a request.

First fit takes them as they are published. Packing leaves out those that are refused whatever else the
claim gets, and sorts the rest: shares before whole devices, the smallest first, and among equals what
takes least from what could still be placed. Refuses nothing by itself: each rule is asked of the attempt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import assert_never, cast

from slicewire.allocator.core.attempt import Attempt, Question
from slicewire.allocator.core.faults import Fault
from slicewire.allocator.core.packing.choice import Chooser
from slicewire.allocator.core.packing.plan import plan_of
from slicewire.allocator.core.packing.policy import named_by
from slicewire.allocator.core.requests import Alternative
from slicewire.allocator.core.stock import Candidate, Part
from slicewire.allocator.core.supply import is_plain
from slicewire.common.model.packing import Packing

_REMEMBERED = 1_024
"""Orders that are kept of one layout; then it is begun anew."""


def ordered(question: Question, alternative: Alternative, part: Part, *, is_judged: bool) -> Part:
    """Requests that ask for the same get the same order. `part`: what is promising; see prospects.py."""
    policy = named_by(question.demand.claims[alternative.claim_index]) or question.policy
    match policy:
        case Packing.FIRST_FIT:
            return part
        case Packing.PACK | Packing.SPREAD:
            if alternative.admin_access:
                return part
            if is_judged and is_plain(question.stock, question.usages):
                return _remembered(question, part, policy)
            return _with_bits(_sorted(question, alternative, part.candidates, policy), part)
        case never:
            assert_never(never)


def _remembered(question: Question, part: Part, policy: Packing) -> Part:
    """Every promising device can be had, and nodes that are alike with the same ones left have one order."""
    if len(part.bits) < 2:
        return part
    stock = question.stock
    orders = cast("dict[object, tuple[int, ...]]", stock.layout.recalled.setdefault(_by_size, {}))
    key = policy, _wanted(question), part.bits, question.supply.free
    bits = orders.get(key)
    if bits is None:
        if len(orders) >= _REMEMBERED:
            orders.clear()
        order = tuple(_by_size(question, part.candidates, policy))
        bits = orders[key] = _with_bits(order, part).bits
    return Part(tuple(map(stock.at, bits)), bits)


def _with_bits(order: tuple[Candidate, ...], part: Part) -> Part:
    bit_of = {id(candidate): bit for candidate, bit in zip(part.candidates, part.bits, strict=True)}
    return Part(order, tuple(bit_of[id(candidate)] for candidate in order))


def _sorted(
    question: Question, alternative: Alternative, candidates: Sequence[Candidate], policy: Packing
) -> tuple[Candidate, ...]:
    """A device that cannot be judged is kept, and tried last: it stops the search only where it must."""
    possible: list[Candidate] = []
    unjudged: list[Candidate] = []
    attempt = Attempt(question)
    for each in candidates:
        match attempt.in_use(alternative, each) or attempt.unselectable(alternative, each):
            case Fault():
                unjudged.append(each)
            case None if attempt.unavailable(alternative, each) is None:
                possible.append(each)
            case _:
                continue
    if len(possible) > 1:
        possible = list(_by_size(question, possible, policy))
    return (*possible, *unjudged)


def _wanted(question: Question) -> int:
    """So many are asked for in all, by whichever request: the order is right for that many."""
    return sum(wanted.alternatives[0].count or 1 for wanted in question.demand.requests)


def _by_size(question: Question, possible: Sequence[Candidate], policy: Packing) -> Iterator[Candidate]:
    wanted = _wanted(question)
    chooser = Chooser(plan_of(question.stock), question.usages, policy)
    kinds = sorted(((chooser.kind(each), at) for at, each in enumerate(possible)))
    for kind, same in groupby(kinds, key=lambda each: each[0]):
        alike = [possible[at] for _, at in same]
        if not kind.is_whole:
            yield from chooser.shares(alike)
        elif kind.is_partition:
            yield from chooser.partitions(alike, wanted)
        else:
            yield from chooser.whole(alike, wanted)
        wanted = max(1, wanted - len(alike))
