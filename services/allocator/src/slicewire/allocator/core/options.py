"""What the alternatives of a request come to on one node: how many devices, and which where all are taken."""

from __future__ import annotations

from functools import reduce
from itertools import count
from operator import or_

import msgspec

from slicewire.allocator.core.attempt import Attempt, Question
from slicewire.allocator.core.checks import RESULTS_LIMIT, too_many
from slicewire.allocator.core.faults import Fault
from slicewire.allocator.core.objections import Objection
from slicewire.allocator.core.ordering import ordered
from slicewire.allocator.core.prospects import prospects
from slicewire.allocator.core.requests import Alternative
from slicewire.allocator.core.stock import Candidate, Pool, Trouble, each_bit

_TROUBLES = {Trouble.INCOMPLETE: "being updated", Trouble.INVALID: "invalid"}


class Option(msgspec.Struct, frozen=True, eq=False):
    """An alternative on this node, and the devices that are worth trying for it, in this order.

    `is_all`: exactly these devices, because all are asked for.
    """

    alternative: Alternative
    count: int
    candidates: tuple[Candidate, ...]
    bits: tuple[int, ...]
    """Which these are among the devices of the node; see stock.py."""
    mask: int
    """All the bits together."""
    is_all: bool = False
    is_judged: bool = True
    """Whether the selectors have an answer for every device that they may be asked about."""

    def within(self, mask: int) -> Option:
        """Only with the devices that are also in the mask."""
        if not self.mask & ~mask:
            return self
        kept = [(each, bit) for each, bit in zip(self.candidates, self.bits, strict=True) if bit & mask]
        return msgspec.structs.replace(
            self,
            candidates=tuple(each for each, _ in kept),
            bits=tuple(bit for _, bit in kept),
            mask=self.mask & mask,
        )


Options = tuple[tuple[Option, ...], ...]
"""One tuple for each request, best alternative first."""


def options_on(question: Question, attempt: Attempt) -> Options | Fault:
    options: list[tuple[Option, ...]] = []
    for wanted in question.demand.requests:
        of_request: list[Option] = []
        for alternative in wanted.alternatives:
            match _option(alternative, question, attempt):
                case Fault() as fault:
                    return fault
                case option:
                    of_request.append(option)
        options.append(tuple(of_request))
    return _over_the_limit(question, tuple(options)) or tuple(options)


def fewest(options: tuple[Option, ...]) -> int:
    return min(option.count for option in options)


def least(options: tuple[Option, ...]) -> int:
    """The fewest devices with which the request is served; "all" of none serves nobody."""
    return min((option.count for option in options if option.count), default=0)


def united(options: tuple[Option, ...]) -> int:
    """The devices that are worth trying for the request, whichever alternative is taken."""
    return reduce(or_, (option.mask for option in options if option.count), 0)


def _option(alternative: Alternative, question: Question, attempt: Attempt) -> Option | Fault:
    if alternative.takes_all:
        return _all(alternative, question, attempt)
    promising, unjudged = prospects(alternative, question.stock, question.supply)
    promising = _with_capacity(promising, alternative, question, attempt)
    part = question.stock.part(promising | unjudged)
    order = ordered(question, alternative, part, is_judged=not unjudged)
    return Option(
        alternative, alternative.count, order.candidates, order.bits, sum(order.bits), is_judged=not unjudged
    )


def _with_capacity(promising: int, alternative: Alternative, question: Question, attempt: Attempt) -> int:
    asked = promising if alternative.capacity else promising & question.stock.layout.shareable
    for bit in each_bit(asked):
        if attempt.capacity_objection(alternative, question.stock.at(bit)):
            promising ^= bit
    return promising


def _all(alternative: Alternative, question: Question, attempt: Attempt) -> Option | Fault:
    mask, places = 0, count()
    for pool in question.stock.pools:
        if not pool.is_usable:
            return _not_all(alternative, pool)
        for candidate in pool.devices:
            place = next(places)
            match _unwanted(alternative, candidate, attempt):
                case Fault() as fault:
                    return fault
                case None:
                    mask |= 1 << place
                case _:
                    continue
    candidates, bits = question.stock.part(mask)
    return Option(alternative, len(bits), candidates, bits, mask, is_all=True)


def _unwanted(alternative: Alternative, candidate: Candidate, attempt: Attempt) -> Objection | Fault | None:
    """A device without the capacity is not one of "all"; one that is in use is, and spoils it."""
    return attempt.unselectable(alternative, candidate) or attempt.capacity_objection(alternative, candidate)


def _not_all(alternative: Alternative, pool: Pool) -> Fault:
    assert pool.trouble is not None
    state = f"currently {_TROUBLES[pool.trouble]}: {pool.reason}"
    return Fault(
        f"{alternative}: asks for all devices, but resource pool {pool.id} is {state}", node_only=True
    )


def _over_the_limit(question: Question, options: Options) -> Fault | None:
    """Here and not before, because only a node knows how many "all" are."""
    if not any(option.is_all for of_request in options for option in of_request):
        return None
    for index in range(len(question.demand.claims)):
        of_claim = [
            o for w, o in zip(question.demand.requests, options, strict=True) if w.claim_index == index
        ]
        devices = sum(map(fewest, of_claim))
        if devices > RESULTS_LIMIT:
            return Fault(too_many(of_claim[0][0].alternative.claim, devices), node_only=True)
    return None
