"""Nodes of a kind: what is found out about the first of them holds for all the others, but for the names.

Looked at only when a claim is explained. Refuses to liken nodes where a name might make a difference: a
selector that looks at identifiers, a pool that is in trouble, a device that a selector fails on.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

import msgspec

from slicewire.allocator.core.attempt import Question
from slicewire.allocator.core.counters import left_by
from slicewire.allocator.core.features import Features
from slicewire.allocator.core.layout import is_identifier
from slicewire.allocator.core.marks import is_common, marks
from slicewire.allocator.core.requests import Alternative, Demand
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.allocator.core.stock import Pool
from slicewire.common.model import NodeName, ResourceClaim


class Kind(msgspec.Struct, frozen=True, eq=False):
    """The question as it is asked of each of them, in the order in which they were named."""

    questions: tuple[Question, ...]

    @property
    def first(self) -> Question:
        return self.questions[0]

    @property
    def nodes(self) -> tuple[NodeName, ...]:
        return tuple(question.stock.node.name for question in self.questions)


def kinds(
    demand: Demand, snapshot: Snapshot, nodes: Sequence[NodeName], features: Features
) -> tuple[Kind, ...]:
    """In the order of their first nodes."""
    alike: dict[Hashable, list[Question]] = {}
    may_be_alike = all(map(_looks_at_no_name, _alternatives(demand))) and not any(
        map(_constrains_names, demand.claims)
    )
    for node in nodes:
        question = Question.of(demand, snapshot, node, features)
        kind = _kind(question) if may_be_alike else None
        alike.setdefault(node if kind is None else kind, []).append(question)
    return tuple(Kind(tuple(questions)) for questions in alike.values())


def _alternatives(demand: Demand) -> Iterator[Alternative]:
    return (alternative for wanted in demand.requests for alternative in wanted.alternatives)


def _looks_at_no_name(alternative: Alternative) -> bool:
    return is_common(alternative.selection.judge) and not alternative.derivations


def _constrains_names(claim: ResourceClaim) -> bool:
    attributes = (each.match_attribute or each.distinct_attribute for each in claim.spec.devices.constraints)
    return any(is_identifier(name or "") for name in attributes)


def _kind(question: Question) -> Hashable | None:
    """None for a node that is like no other."""
    stock, features = question.stock, question.features
    layout = stock.layout
    if not all(pool.is_usable for pool in stock.pools) or _stumbles(question):
        return None
    if not layout.banks and not layout.shareable:
        return layout, question.supply
    if features.device_compatibility_groups:
        return None  # what others hold elsewhere in the pool has its say in groups
    return layout, question.supply, tuple(_left(pool, question) for pool in stock.pools)


def _stumbles(question: Question) -> bool:
    return any(
        marks(alternative.selection.judge, question.stock).stumbling
        for alternative in _alternatives(question.demand)
    )


def _left(pool: Pool, question: Question) -> Hashable:
    """What there is of counters, and of shared devices."""
    usage = question.usages[pool.id]
    shares = frozenset((name, frozenset(share.consumed.items())) for name, share in usage.shared.items())
    return frozenset(left_by(usage, pool).items()) if pool.counters else None, shares
