"""The search: depth first, first fit, in the order of requests and of devices; no scoring.

Within a request only combinations in rising order are tried, never permutations. What is found first
is the answer. Bounded by steps, not seconds, so that the answer never depends on the machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto

import msgspec

from slicewire.allocator.core.attempt import Attempt, Pick, Question
from slicewire.allocator.core.checks import RESULTS_LIMIT
from slicewire.allocator.core.faults import Fault
from slicewire.allocator.core.objections import Constrained
from slicewire.allocator.core.options import Option, Options, fewest, options_on
from slicewire.allocator.core.outlook import Outlook, outlook
from slicewire.allocator.core.requests import Alternative
from slicewire.allocator.core.symmetry import twins

STEP_LIMIT = 200_000
"""Steps on one node before giving up."""
PATIENCE = 1_000
"""Steps after which it is worth a look whether some request fits nowhere, however the others are served."""


class Solution(msgspec.Struct, frozen=True, eq=False):
    """All devices for all claims, and the alternative taken for each request."""

    picks: tuple[Pick, ...]
    chosen: tuple[Alternative, ...]


class Allowance:
    """Steps left for a whole question, however many nodes it is asked of."""

    __slots__ = ("left",)

    def __init__(self, left: int = STEP_LIMIT) -> None:
        self.left = left


class _Place(msgspec.Struct, frozen=True, eq=False):
    """Where the search stands: in which request, with how many of its devices, looking on from where.

    `first` is where the request's own first device was found.
    """

    request: int
    option: Option
    picked: int = 0
    start: int = 0
    first: int = 0


class _Solved(Enum):
    SOLVED = auto()


_Move = _Place | _Solved | Fault


def solve(question: Question, allowance: Allowance | None = None) -> Solution | Fault | None:
    """None: the search is through, and there is no way to give everybody their devices on this node."""
    attempt = Attempt(question)
    match options_on(question, attempt):
        case Fault() as fault:
            return fault
        case options:
            seen = outlook(options, attempt, question.stock)
            return _Search(question, attempt, seen).run(allowance or Allowance()) if seen else None


class _Search:
    """A stack of choices; each offers its next way on, and undoes it when asked for another."""

    def __init__(self, question: Question, attempt: Attempt, seen: Outlook) -> None:
        self._question = question
        self._attempt = attempt
        self._outlook = seen
        self._options = seen.options
        self._least_after = _least_after(seen.options)
        self._twins = twins(seen.options, attempt)
        self._taken = 0
        self._chosen: list[Option] = []
        self._first: dict[int, int] = {}

    def run(self, allowance: Allowance) -> Solution | Fault | None:
        choices: list[Iterator[_Move]] = [self._alternatives(0)]
        limit = min(STEP_LIMIT, allowance.left)
        for steps in range(1, limit + 1):
            allowance.left -= 1
            match next(choices[-1], None):
                case None:
                    choices.pop()
                    if not choices:
                        return None
                case Fault() as fault:
                    return fault
                case _Solved.SOLVED:
                    return self._solution()
                case place:
                    choices.append(self._ways_on(place))
            if steps == PATIENCE and _is_hopeless(self._question, self._options):
                return None
        return Fault(f"gave up after {limit} steps on this node", node_only=True)

    def _ways_on(self, place: _Place) -> Iterator[_Move]:
        if place.picked == place.option.count:
            self._first[place.request] = place.first
            return self._alternatives(place.request + 1)
        return self._all_of(place) if place.option.is_all else self._devices(place)

    def _alternatives(self, request: int) -> Iterator[_Move]:
        if request == len(self._options):
            yield _Solved.SOLVED
            return
        for option in self._options[request]:
            if option.count and self._has_room(request, option):
                twin = self._twins[request]
                self._chosen.append(option)
                yield _Place(request, option, start=0 if twin is None else self._first[twin])
                self._chosen.pop()

    def _devices(self, place: _Place) -> Iterator[_Move]:
        option, before = place.option, self._taken
        shareable = self._question.stock.layout.shareable
        for at in range(place.start, self._end(place)):
            taken = before | option.bits[at] & ~shareable
            if not self._outlook.allows(place.request, taken):
                continue
            match self._attempt.try_pick(option.alternative, option.candidates[at]):
                case Pick() as pick:
                    first = place.first if place.picked else at
                    self._taken = taken
                    yield _Place(place.request, option, place.picked + 1, at + 1, first)
                    self._taken = before
                    self._attempt.undo(pick)
                case Fault() as fault:
                    yield fault
                case _:
                    continue

    def _end(self, place: _Place) -> int:
        """Behind this, too few are left for the rest of the request."""
        end = len(place.option.candidates)
        return end - (place.option.count - place.picked) + 1 if self._outlook.is_certain else end

    def _all_of(self, place: _Place) -> Iterator[_Move]:
        """Every one of them is needed, so there is only one way on."""
        alternative, candidate = place.option.alternative, place.option.candidates[place.picked]
        match self._attempt.try_pick(alternative, candidate):
            case Pick() as pick:
                yield _Place(place.request, place.option, place.picked + 1)
                self._attempt.undo(pick)
            case Constrained():
                yield Fault(
                    f"{alternative}: cannot add device {candidate.id}"
                    " because a claim constraint would not be satisfied",
                    node_only=True,
                )
            case Fault() as fault:
                yield fault
            case _:
                return

    def _has_room(self, request: int, option: Option) -> bool:
        """Whether the claim's results can still hold this and the least of what follows."""
        claim = option.alternative.claim_index
        so_far = sum(1 for pick in self._attempt.picks if pick.alternative.claim_index == claim)
        return so_far + option.count + self._least_after[request] <= RESULTS_LIMIT

    def _solution(self) -> Solution:
        return Solution(tuple(self._attempt.picks), tuple(option.alternative for option in self._chosen))


def _least_after(options: Options) -> tuple[int, ...]:
    """For each request, the fewest devices of those after it in the same claim."""
    if len(options) == 1:
        return (0,)
    least: list[int] = []
    for index, of_request in enumerate(options):
        claim = of_request[0].alternative.claim_index
        later = (o for o in options[index + 1 :] if o[0].alternative.claim_index == claim)
        least.append(sum(map(fewest, later)))
    return tuple(least)


def _is_hopeless(question: Question, options: Options) -> bool:
    """Whether some request cannot be served even if it were the only one."""
    alone = Attempt(question)
    return any(
        all(_available(option, alone) < option.count for option in of_request) for of_request in options
    )


def _available(option: Option, alone: Attempt) -> int:
    """Each device by itself. One that selectors cannot judge counts: the search has to say so."""
    available = 0
    for candidate in option.candidates:
        match alone.try_pick(option.alternative, candidate):
            case Pick() as pick:
                alone.undo(pick)
                available += 1
            case Fault():
                available += 1
            case _:
                continue
    return available
