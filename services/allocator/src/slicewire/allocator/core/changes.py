"""What would make it fit: the cheapest single change after which the claims really have their devices.

Nothing is promised on reasoning alone. Each proposal is applied to copies and searched, on the node it
is about; the first that fits there is then placed on the fleet exactly as a claim would be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from slicewire.allocator.core.attempt import Attempt, Question
from slicewire.allocator.core.concessions import reductions, relaxations, tolerations
from slicewire.allocator.core.faults import Fault
from slicewire.allocator.core.features import DEFAULT, Features
from slicewire.allocator.core.fleet import Placement, place
from slicewire.allocator.core.profiles import other_profiles
from slicewire.allocator.core.remedies import Remedy, Situation
from slicewire.allocator.core.requests import Alternative, read
from slicewire.allocator.core.search import attempt
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.allocator.core.solver import Allowance
from slicewire.allocator.core.yielding import completions, double_releases, releases
from slicewire.common.model import Change, NodeName, ResourceClaim, Unsatisfiable

PROPOSALS_LIMIT = 300
"""So many proposals of each sort are looked at, the lightest."""
SEARCHES_LIMIT = 64
"""So many of those are searched; the others had too few devices at first sight."""
STEPS_LIMIT = 200_000
"""What the searches of one sort may take together."""

_Sort = Callable[[Situation], Iterator[Remedy]]
_SORTS: tuple[_Sort, ...] = (
    completions,
    tolerations,
    other_profiles,
    relaxations,
    reductions,
    releases,
    double_releases,
)
"""In the order of `ChangeKind`: the cheapest first."""


def cheapest_change(
    claims: Sequence[ResourceClaim],
    snapshot: Snapshot,
    nodes: Sequence[NodeName],
    refusal: Unsatisfiable,
    features: Features = DEFAULT,
) -> Change | None:
    """None where no such change helps, and for a claim that is wrong: it has to be written anew."""
    demand = read(claims, snapshot.classes, features)
    if refusal.fatal or isinstance(demand, Fault):
        return None
    situation = Situation(tuple(claims), demand, snapshot, tuple(nodes), features)
    changes = (_first_that_fits(sort, situation) for sort in _SORTS)
    return next((change for change in changes if change is not None), None)


def _first_that_fits(sort: _Sort, situation: Situation) -> Change | None:
    """The lightest, then by name, then in the order of the nodes."""
    proposals = sorted(sort(situation), key=lambda remedy: (remedy.weight, remedy.message))
    allowance, searches = Allowance(STEPS_LIMIT), 0
    for remedy in proposals[:PROPOSALS_LIMIT]:
        after = _after(remedy, situation)
        if isinstance(after, Fault) or not _has_enough(question := after.question(remedy.node)):
            continue
        searches += 1
        if searches > SEARCHES_LIMIT:
            return None
        if isinstance(attempt(question, allowance), tuple) and (change := _placed(remedy, after)):
            return change
    return None


def _after(remedy: Remedy, situation: Situation) -> Situation | Fault:
    claims, snapshot = remedy.applied()
    demand = read(claims, snapshot.classes, situation.features)
    if isinstance(demand, Fault):
        return demand
    return Situation(claims, demand, snapshot, situation.nodes, situation.features)


def _has_enough(question: Question) -> bool:
    """Whether each request has its number of devices that are selected and not in use: cheap to see."""
    alone = Attempt(question)
    return all(
        any(
            _devices(alternative, question, alone) >= _least(alternative)
            for alternative in wanted.alternatives
        )
        for wanted in question.demand.requests
    )


def _least(alternative: Alternative) -> int:
    return 1 if alternative.takes_all else alternative.count


def _devices(alternative: Alternative, question: Question, alone: Attempt) -> int:
    return sum(
        not (alone.in_use(alternative, candidate) or alone.unselectable(alternative, candidate))
        for candidate in question.stock.candidates
    )


def _placed(remedy: Remedy, after: Situation) -> Change | None:
    """On the whole fleet, where a fault on another node may stop what would fit on this one."""
    placement = place(after.claims, after.snapshot, after.nodes, after.features)
    if not isinstance(placement, Placement):
        return None
    devices = (each.device_id for result in placement.results for each in result.devices.results)
    return Change(kind=remedy.kind, message=remedy.message, node=placement.node, devices=tuple(devices))
