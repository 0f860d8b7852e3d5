"""Which devices of one node for these claims: the question and its three kinds of answer."""

from __future__ import annotations

from collections.abc import Sequence

from slicewire.allocator.core.attempt import Question
from slicewire.allocator.core.faults import Fault
from slicewire.allocator.core.features import DEFAULT, Features
from slicewire.allocator.core.refusals import explain
from slicewire.allocator.core.requests import read
from slicewire.allocator.core.results import results_of
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.allocator.core.solver import Allowance, Solution, solve
from slicewire.allocator.core.stock import Trouble
from slicewire.common.model import AllocationResult, NodeName, ResourceClaim, Unsatisfiable

__all__ = ["Fault", "allocate", "attempt"]


def allocate(
    claims: Sequence[ResourceClaim], snapshot: Snapshot, node: NodeName, features: Features = DEFAULT
) -> tuple[AllocationResult, ...] | Unsatisfiable | Fault:
    """All claims or none. One result for each claim, in their order."""
    demand = read(claims, snapshot.classes, features)
    if isinstance(demand, Fault):
        return demand
    answer = attempt(Question.of(demand, snapshot, node, features), Allowance())
    return explain(demand, snapshot, features, {node: None}) if answer is None else answer


def attempt(question: Question, allowance: Allowance) -> tuple[AllocationResult, ...] | Fault | None:
    """The same without the explanation: None where the node has not got the devices."""
    match solve(question, allowance):
        case Solution() as solution:
            return results_of(solution, question)
        case None:
            return _invalid_pools(question)
        case fault:
            return fault


def _invalid_pools(question: Question) -> Fault | None:
    """The devices may be there, in a pool that contradicts itself: that is for its driver to mend."""
    invalid = [pool for pool in question.stock.pools if pool.trouble is Trouble.INVALID]
    if not invalid:
        return None
    reasons = "; ".join(f"{pool.id}: {pool.reason}" for pool in invalid)
    return Fault(f"invalid resource pools were encountered: {reasons}", node_only=True)
