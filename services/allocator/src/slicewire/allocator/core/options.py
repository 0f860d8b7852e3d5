"""What the alternatives of a request come to on one node: how many devices, and which where all are taken."""

from __future__ import annotations

import msgspec

from slicewire.allocator.core.attempt import Attempt, Question
from slicewire.allocator.core.checks import RESULTS_LIMIT, too_many
from slicewire.allocator.core.faults import Fault
from slicewire.allocator.core.objections import Objection
from slicewire.allocator.core.requests import Alternative
from slicewire.allocator.core.stock import Candidate, Pool, Trouble

_TROUBLES = {Trouble.INCOMPLETE: "being updated", Trouble.INVALID: "invalid"}


class Option(msgspec.Struct, frozen=True, eq=False):
    """An alternative on this node. `fixed`: exactly these devices, because all are asked for."""

    alternative: Alternative
    count: int
    fixed: tuple[Candidate, ...] | None = None


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


def _option(alternative: Alternative, question: Question, attempt: Attempt) -> Option | Fault:
    if not alternative.takes_all:
        return Option(alternative, alternative.count)
    fixed: list[Candidate] = []
    for pool in question.stock.pools:
        if not pool.is_usable:
            return _not_all(alternative, pool)
        for candidate in pool.devices:
            match _unwanted(alternative, candidate, attempt):
                case Fault() as fault:
                    return fault
                case None:
                    fixed.append(candidate)
                case _:
                    continue
    return Option(alternative, len(fixed), tuple(fixed))


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
    for index in range(len(question.demand.claims)):
        of_claim = [
            o for w, o in zip(question.demand.requests, options, strict=True) if w.claim_index == index
        ]
        devices = sum(map(fewest, of_claim))
        if devices > RESULTS_LIMIT:
            return Fault(too_many(of_claim[0][0].alternative.claim, devices), node_only=True)
    return None
