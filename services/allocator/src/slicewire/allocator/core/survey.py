"""A look over one node's devices for one request: which would do, which would not, and why.

This is the explaining pass. It runs only after the search has said no, and decides nothing.
"""

from __future__ import annotations

import msgspec

from slicewire.allocator.core.attempt import Attempt, Pick, Question
from slicewire.allocator.core.constraints import Constraint, Values
from slicewire.allocator.core.faults import Fault
from slicewire.allocator.core.kinds import Kind
from slicewire.allocator.core.objections import InUse, NotSelected, Objection
from slicewire.allocator.core.requests import Alternative
from slicewire.allocator.core.solver import Allowance, Solution, solve
from slicewire.allocator.core.stock import Candidate
from slicewire.common.model import DeviceID, NodeName, Rule


class Refused(msgspec.Struct, frozen=True):
    """One device, or a pool or node without one, and the first rule that spoke against it."""

    rule: Rule
    message: str
    device: DeviceID | None = None


class Survey(msgspec.Struct, frozen=True, eq=False):
    """How one alternative stands on one node, beside whatever else was picked before it."""

    alternative: Alternative
    request: int
    """Which of the requests; all before it can be served on this node."""
    node: NodeName
    devices: int
    matching: int
    free: tuple[Candidate, ...]
    together: int
    """How many of the free ones can be had at once."""
    refused: tuple[Refused, ...] = ()
    """By themselves."""
    apart: tuple[Refused, ...] = ()
    """Beside those that can be had at once."""
    nodes: int = 1
    """Of how many nodes all this is true; `node` is the first of them."""

    @property
    def needed(self) -> int:
        return max(self.matching, 1) if self.alternative.takes_all else self.alternative.count

    @property
    def missing(self) -> int:
        return max(self.needed - self.together, 0)


def distance(survey: Survey) -> tuple[int, int, int, int]:
    """A node that can serve more of the requests is nearer, then one that lacks fewer devices."""
    return -survey.request, survey.missing, -survey.together, -survey.matching


def of_kind(kind: Kind, allowance: Allowance) -> tuple[Survey, ...]:
    """The same of all nodes of the kind, looked at on the first."""
    nodes = len(kind.questions)
    return tuple(msgspec.structs.replace(each, nodes=nodes) for each in blocking(kind.first, allowance))


def blocking(question: Question, allowance: Allowance) -> tuple[Survey, ...]:
    """The alternatives of the first request that cannot be served, each surveyed; none if it cannot be told.

    First each request by itself; only when all of them could be, beside what those before it get.
    """
    alone = Attempt(question)
    for index in range(len(question.demand.requests)):
        surveys = _surveys(index, question, alone)
        if all(each.missing for each in surveys):
            return surveys
    return _blocking_together(question, allowance)


def _blocking_together(question: Question, allowance: Allowance) -> tuple[Survey, ...]:
    requests = question.demand.requests
    served = Solution((), ())
    for index in range(len(requests)):
        shorter = msgspec.structs.replace(question.demand, requests=requests[: index + 1])
        match solve(msgspec.structs.replace(question, demand=shorter), allowance):
            case Solution() as solution:
                served = solution
            case Fault():
                return ()
            case None:
                return _surveys(index, question, _replayed(served, question))
    return ()


def _surveys(index: int, question: Question, beside: Attempt) -> tuple[Survey, ...]:
    alternatives = question.demand.requests[index].alternatives
    return tuple(
        msgspec.structs.replace(survey(each, question, beside), request=index) for each in alternatives
    )


def _replayed(solution: Solution, question: Question) -> Attempt:
    attempt = Attempt(question)
    for pick in solution.picks:
        attempt.try_pick(pick.alternative, pick.candidate)
    return attempt


def survey(alternative: Alternative, question: Question, attempt: Attempt) -> Survey:
    refused = [
        Refused(Rule.POOL, f"pool {pool.id} is {pool.trouble}: {pool.reason}")
        for pool in question.stock.pools
        if pool.trouble is not None
    ]
    matching, free = 0, list[Candidate]()
    for candidate in question.stock.candidates:
        objection = _objection(alternative, candidate, attempt)
        matching += objection is None or not _is_mismatch(objection)
        if objection is None:
            free.append(candidate)
        else:
            refused.append(_refused(alternative, candidate, objection))
    together, apart = _at_once(alternative, tuple(free), attempt)
    node, devices = question.stock.node.name, len(question.stock.candidates)
    return Survey(alternative, 0, node, devices, matching, tuple(free), together, tuple(refused), apart)


def _objection(alternative: Alternative, candidate: Candidate, attempt: Attempt) -> Objection | Fault | None:
    """Selectors first: that a device is in use matters only where it would be wanted."""
    return (
        attempt.unselectable(alternative, candidate)
        or attempt.in_use(alternative, candidate)
        or attempt.unavailable(alternative, candidate)
    )


def _is_mismatch(objection: Objection | Fault) -> bool:
    if isinstance(objection, Fault):
        return True
    return objection.rule in (Rule.NODE, Rule.CLASS_SELECTOR, Rule.REQUEST_SELECTOR)


def _refused(alternative: Alternative, candidate: Candidate, objection: Objection | Fault) -> Refused:
    match objection:
        case Fault(message):
            return Refused(Rule.REQUEST_SELECTOR, message, candidate.id)
        case NotSelected():
            objection = alternative.selection.explained(candidate, objection)
        case _:
            pass
    return Refused(objection.rule, str(objection), candidate.id)


def _at_once(
    alternative: Alternative, free: tuple[Candidate, ...], attempt: Attempt
) -> tuple[int, tuple[Refused, ...]]:
    """The most that greedy picking gets from the free ones, begun at one device of each kind."""
    best, best_apart = 0, tuple[Refused, ...]()
    for seed in _seeds(alternative, free, attempt):
        order = (seed, *(each for each in free if each is not seed))
        had, apart = _greedily(alternative, order, attempt)
        if had > best or not best:
            best, best_apart = had, apart
        if not apart:
            break
    return best, best_apart


def _seeds(alternative: Alternative, free: tuple[Candidate, ...], attempt: Attempt) -> tuple[Candidate, ...]:
    constraints = attempt.constraints(alternative.claim_index)
    kinds = {
        tuple(_values(alternative, each, candidate) for each in constraints): candidate
        for candidate in reversed(free)
    }
    return tuple(reversed(kinds.values()))


def _values(alternative: Alternative, constraint: Constraint, candidate: Candidate) -> Values | None:
    derived = alternative.derived(constraint.attribute, candidate)
    return None if isinstance(derived, Fault) else constraint.values(candidate, derived)


def _greedily(
    alternative: Alternative, order: tuple[Candidate, ...], attempt: Attempt
) -> tuple[int, tuple[Refused, ...]]:
    picks: list[Pick] = []
    apart: list[Refused] = []
    for candidate in order:
        match attempt.try_pick(alternative, candidate):
            case Pick() as pick:
                picks.append(pick)
            case Fault() | InUse():
                continue
            case objection:
                apart.append(_refused(alternative, candidate, objection))
    for pick in reversed(picks):
        attempt.undo(pick)
    return len(picks), tuple(apart)
