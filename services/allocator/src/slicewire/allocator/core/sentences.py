"""One line that tells a person why a claim has no devices, and how near it came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from slicewire.allocator.core.checks import label
from slicewire.allocator.core.faults import Fault
from slicewire.allocator.core.requests import Alternative, Demand
from slicewire.allocator.core.survey import Refused, Survey, distance
from slicewire.common.model import NodeName, Rule

Tried = Mapping[NodeName, Fault | None]
"""The nodes that were tried in vain, in order, each with the fault that stopped it, if one did."""


def sentence(demand: Demand, surveys: Sequence[Survey], tried: Tried) -> str:
    """Of the alternative that came nearest, on one node or on the best of several."""
    if not surveys:
        return f"{_claims(demand)} cannot be placed: {_without_surveys(tried)}"
    nearest = min(surveys, key=distance)
    asked = _asked(nearest.alternative, demand)
    if len(tried) == 1:
        return f"{asked}; {nearest.node} has {stock_of(nearest)}"
    alike = [each for each in surveys if each.alternative is nearest.alternative]
    return f"{asked}; {_fleet(nearest, alike, len(tried))}"


def stock_of(survey: Survey) -> str:
    """What a node has for an alternative, in words that follow "has"."""
    if not survey.devices:
        trouble = (each.message for each in survey.refused if each.rule is Rule.POOL)
        return f"no devices{_because(next(trouble, ''))}"
    if not survey.matching:
        return (
            f"{_count(survey.devices, 'device')}, none of which match{_because(_commonest(survey.refused))}"
        )
    free = len(survey.free)
    stock = f"{survey.matching} that match, {free or 'none'} of them free"
    if not free:
        return f"{stock}{_because(_commonest(r for r in survey.refused if r.rule not in _MISMATCHES))}"
    together, reason = _bounds(survey)
    return f"{stock}, but only {survey.together}{together}{reason}" if together else stock


_MISMATCHES = (Rule.NODE, Rule.POOL, Rule.CLASS_SELECTOR, Rule.REQUEST_SELECTOR)


def _fleet(nearest: Survey, alike: Sequence[Survey], nodes: int) -> str:
    surveyed = sum(each.nodes for each in alike)
    reached = _count(surveyed, "node")
    where = f"on {reached}" if surveyed == nodes else f"on the {reached} nearest to it"
    free = sum(len(each.free) * each.nodes for each in alike)
    matching = sum(each.matching * each.nodes for each in alike)
    if not matching:
        devices = _count(sum(each.devices * each.nodes for each in alike), "device")
        return f"none of the {devices} {where} match{_because(_commonest(nearest.refused))}"
    if not free:
        return f"{matching} match {where}, none of them free"
    are = "is" if free == 1 else "are"
    together, reason = _bounds(nearest)
    best = f"the best, {nearest.node}, has {nearest.together}{reason}"
    return f"{free} {are} free {where}, but none has {nearest.needed}{together}; {best}"


def _bounds(survey: Survey) -> tuple[str, str]:
    """Where enough are free but do not go together: words for that, and the reason."""
    if survey.together >= min(len(survey.free), survey.needed):
        return "", ""
    words = " that goes with the others" if survey.needed == 1 else " that go together"
    return words, _because(_commonest(survey.apart))


def _asked(alternative: Alternative, demand: Demand) -> str:
    of_claim = [each for each in demand.requests if each.claim_index == alternative.claim_index]
    is_whole_claim = len(of_claim) == 1 and len(of_claim[0].alternatives) == 1
    who = f"claim {alternative.claim}" if is_whole_claim else str(alternative)
    what = "all devices" if alternative.takes_all else _count(alternative.count, "device")
    return f"{who} asks for {what} of class {alternative.device_class.metadata.name}"


def _claims(demand: Demand) -> str:
    labels = ", ".join(label(claim) for claim in demand.claims)
    return f"claim {labels}" if len(demand.claims) == 1 else f"claims {labels}"


def _without_surveys(tried: Tried) -> str:
    """What stopped the search, where it was not the devices."""
    if not tried:
        return "there are no nodes to choose from"
    faults = Counter(fault.message for fault in tried.values() if fault is not None)
    return faults.most_common(1)[0][0] if faults else "the requests are in each other's way"


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def _commonest(refused: Iterable[Refused]) -> str:
    counted = Counter(each.message for each in refused).most_common(1)
    return counted[0][0] if counted else ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
