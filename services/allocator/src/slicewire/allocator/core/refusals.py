"""Why not, for a person: one true sentence, and behind it the devices grouped by what refused them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from slicewire.allocator.core.attempt import Question
from slicewire.allocator.core.features import Features
from slicewire.allocator.core.requests import Alternative, Demand
from slicewire.allocator.core.sentences import Tried, sentence, stock_of
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.allocator.core.solver import Allowance
from slicewire.allocator.core.survey import Refused, Survey, blocking
from slicewire.common.model import LISTED_DEVICES, NodeName, Refusal, Rule, Unsatisfiable

REASONS_OF_A_KIND = 8
"""More different words than this for one request and rule are put into one group."""

EXPLAINING_STEPS = 100_000
"""What an explanation may search, on all nodes together, to see which requests are in each other's way."""


def explain(demand: Demand, snapshot: Snapshot, features: Features, tried: Tried) -> Unsatisfiable:
    found: list[_Found] = []
    surveys: list[Survey] = []
    allowance = Allowance(EXPLAINING_STEPS)
    for node, fault in tried.items():
        if fault is not None:
            found.append(_Found("", node, Refused(Rule.INVALID, fault.message)))
        of_node = blocking(Question.of(demand, snapshot, node, features), allowance)
        surveys.extend(of_node)
        for each in of_node:
            request = _request(each.alternative, demand)
            found.extend(_Found(request, node, refused) for refused in _reasons(each))
    return Unsatisfiable(message=sentence(demand, surveys, tried), refusals=_sorted(found))


class _Found(msgspec.Struct, frozen=True):
    request: str
    node: NodeName
    refused: Refused


def _request(alternative: Alternative, demand: Demand) -> str:
    """With the claim only where there are several."""
    return alternative.name if len(demand.claims) == 1 else f"{alternative.claim}: {alternative.name}"


def _reasons(survey: Survey) -> Sequence[Refused]:
    return (*survey.refused, *survey.apart) or (Refused(Rule.COUNT, f"has {stock_of(survey)}"),)


def _sorted(found: Sequence[_Found]) -> tuple[Refusal, ...]:
    """By request, then by rule, then the largest group first."""
    requests, rules = list(dict.fromkeys(each.request for each in found)), list(Rule)
    return tuple(
        sorted(_groups(found), key=lambda r: (requests.index(r.request), rules.index(r.rule), -r.count))
    )


def _groups(found: Sequence[_Found]) -> Iterator[Refusal]:
    kinds: dict[tuple[str, Rule], dict[str, list[_Found]]] = {}
    for each in found:
        messages = kinds.setdefault((each.request, each.refused.rule), {})
        messages.setdefault(each.refused.message, []).append(each)
    for messages in kinds.values():
        if len(messages) <= REASONS_OF_A_KIND:
            yield from (_refusal(message, group) for message, group in messages.items())
        else:
            first, others = next(iter(messages)), len(messages) - 1
            everything = [each for group in messages.values() for each in group]
            yield _refusal(f"{first}, and {others} more like it", everything)


def _refusal(message: str, group: Sequence[_Found]) -> Refusal:
    devices = tuple(each.refused.device for each in group if each.refused.device is not None)
    nodes = {each.node for each in group}
    return Refusal(
        rule=group[0].refused.rule,
        message=message,
        request=group[0].request,
        node=nodes.pop() if len(nodes) == 1 else "",
        count=len(devices),
        devices=devices[:LISTED_DEVICES],
    )
