"""Why not, for a person: one true sentence, and behind it the devices grouped by what refused them.

Nodes of a kind are looked over once; the others lend only the names of their devices and of who has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from slicewire.allocator.core.attempt import Question
from slicewire.allocator.core.features import Features
from slicewire.allocator.core.kinds import kinds
from slicewire.allocator.core.objections import InUse
from slicewire.allocator.core.requests import Alternative, Demand
from slicewire.allocator.core.sentences import Tried, sentence, stock_of
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.allocator.core.solver import Allowance
from slicewire.allocator.core.stock import Candidate
from slicewire.allocator.core.survey import Refused, Survey, of_kind
from slicewire.allocator.core.tally import Tally
from slicewire.common.model import NodeName, Rule, Unsatisfiable

EXPLAINING_STEPS = 100_000
"""What an explanation may search, on all nodes together, to see which requests are in each other's way."""


def explain(demand: Demand, snapshot: Snapshot, features: Features, tried: Tried) -> Unsatisfiable:
    tally, allowance, surveys = Tally(), Allowance(EXPLAINING_STEPS), list[Survey]()
    patterns: dict[NodeName, tuple[Question, tuple[_Said, ...]]] = {}
    for kind in kinds(demand, snapshot, tuple(tried), features):
        found = of_kind(kind, allowance)
        surveys.extend(found)
        said = tuple(each for survey in found for each in _said(survey, kind.first, demand))
        patterns.update((question.stock.node.name, (question, said)) for question in kind.questions)
    for node, fault in tried.items():
        if fault is not None:
            tally.words("", Rule.INVALID).group(fault.message).note(node, ())
        _count(tally, *patterns[node])
    return Unsatisfiable(message=sentence(demand, surveys, tried), refusals=tally.refusals())


class _Said(NamedTuple):
    """What is said of some devices of a node, by their places; "" where each is held by some claim."""

    request: str
    rule: Rule
    message: str
    places: tuple[int, ...]


def _said(survey: Survey, question: Question, demand: Demand) -> Iterator[_Said]:
    """Devices that follow each other are told together where the same is said of them."""
    request = _request(survey.alternative, demand)
    place_of = {candidate.id: place for place, candidate in enumerate(question.stock.candidates)}

    def words(refused: Refused) -> tuple[Rule, str]:
        if refused.device is not None and refused.rule is Rule.IN_USE:
            candidate = question.stock.candidates[place_of[refused.device]]
            if refused.message == _holder(candidate, question):
                return refused.rule, ""
        return refused.rule, refused.message

    for (rule, message), those in groupby(_reasons(survey), key=words):
        places = tuple(place_of[each.device] for each in those if each.device is not None)
        yield _Said(request, rule, message, places)


def _holder(candidate: Candidate, question: Question) -> str:
    """What an attempt says of a device that another claim has."""
    usage, name = question.usages[candidate.pool_id], candidate.id.device
    if (holder := usage.dedicated.get(name)) is not None:
        return str(InUse(f"claim {holder}"))
    share = usage.shared.get(name)
    return str(InUse(f"a share of claim {share.claims[0]}")) if share else ""


def _request(alternative: Alternative, demand: Demand) -> str:
    """With the claim only where there are several."""
    return alternative.name if len(demand.claims) == 1 else f"{alternative.claim}: {alternative.name}"


def _reasons(survey: Survey) -> Sequence[Refused]:
    return (*survey.refused, *survey.apart) or (Refused(Rule.COUNT, f"has {stock_of(survey)}"),)


def _count(tally: Tally, question: Question, said: Sequence[_Said]) -> None:
    node, candidates = question.stock.node.name, question.stock.candidates
    for request, rule, message, places in said:
        words, those = tally.words(request, rule), [candidates[place] for place in places]
        if message:
            words.group(message).note(node, [candidate.id for candidate in those])
        else:
            for candidate in those:
                words.group(_holder(candidate, question)).note(node, (candidate.id,))
