"""What the user could concede: tolerate a taint, drop a condition, ask for fewer devices.

Each proposal has a device that speaks for it; whether it is enough is for changes.py to try. A class is
not in the user's hands, so its selectors are never relaxed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from slicewire.allocator.core.attempt import Attempt, Question
from slicewire.allocator.core.cel import Program, compile_selector
from slicewire.allocator.core.conjuncts import conjuncts, without
from slicewire.allocator.core.objections import NotSelected
from slicewire.allocator.core.remedies import (
    Remedy,
    Situation,
    asking,
    expressions,
    request_of,
    selectors,
    so_asked,
)
from slicewire.allocator.core.requests import Alternative
from slicewire.allocator.core.selectors import ENVIRONMENT
from slicewire.allocator.core.stock import Candidate
from slicewire.allocator.core.taints import untolerated, written
from slicewire.common.model import (
    ChangeKind,
    DeviceTaint,
    DeviceToleration,
    NodeName,
)

_Taints = tuple[DeviceTaint, ...]


def tolerations(situation: Situation) -> Iterator[Remedy]:
    """Of what taints a device that is selected and free, or of all such taints of the node at once."""
    for question in (kind.first for kind in situation.kinds):
        node = question.stock.node.name
        everywhere: dict[Alternative, _Taints] = {}
        for alternative in situation.alternatives:
            sets = _taint_sets(alternative, question)
            everywhere[alternative] = tuple(dict.fromkeys(taint for each in sets for taint in each))
            for taints in dict.fromkeys((*sets, everywhere[alternative])):
                yield from _tolerating(situation, node, {alternative: taints})
        if sum(map(bool, everywhere.values())) > 1:
            yield from _tolerating(situation, node, everywhere)


def _taint_sets(alternative: Alternative, question: Question) -> tuple[_Taints, ...]:
    attempt = Attempt(question)
    wanted = (
        _all_untolerated(candidate, alternative)
        for candidate in question.stock.candidates
        if candidate.device.taints
        and not attempt.unselectable(alternative, candidate)
        and not attempt.in_use(alternative, candidate)
    )
    return tuple(dict.fromkeys(taints for taints in wanted if taints))


def _all_untolerated(candidate: Candidate, alternative: Alternative) -> _Taints:
    found: _Taints = ()
    tolerated = alternative.tolerations
    while (taint := untolerated(candidate.device.taints, tolerated)) is not None:
        found = (*found, _bare(taint))
        tolerated = (*tolerated, _toleration(taint))
    return found


def _bare(taint: DeviceTaint) -> DeviceTaint:
    """Whoever put it there, and whenever."""
    return DeviceTaint(key=taint.key, value=taint.value, effect=taint.effect)


def _toleration(taint: DeviceTaint) -> DeviceToleration:
    return DeviceToleration(key=taint.key, value=taint.value, effect=taint.effect)


def _tolerating(
    situation: Situation, node: NodeName, added: Mapping[Alternative, _Taints]
) -> Iterator[Remedy]:
    claims = situation.claims
    for alternative, taints in added.items():
        tolerated = (*alternative.tolerations, *map(_toleration, taints))
        claims = asking(claims, alternative, tolerations=tolerated)
    distinct = dict.fromkeys(taint for taints in added.values() for taint in taints)
    if distinct:
        noun = "taint" if len(distinct) == 1 else "taints"
        names, where = " and ".join(map(written, distinct)), _where(situation, added)
        message = f"tolerate the {noun} {names}{where}"
        weight = sum(map(len, added.values()))
        yield Remedy(ChangeKind.TOLERATE, message, node, weight, partial(so_asked, claims, situation))


def _where(situation: Situation, added: Mapping[Alternative, _Taints]) -> str:
    """Nothing where the claim has but one request."""
    if len(situation.alternatives) == 1:
        return ""
    named = (request_of(situation, alternative) for alternative, taints in added.items() if taints)
    return f" in {' and '.join(named)}"


def relaxations(situation: Situation) -> Iterator[Remedy]:
    """Of a selector, by the first of its conditions that is false for some device."""
    for question in (kind.first for kind in situation.kinds):
        node = question.stock.node.name
        attempt = Attempt(question)
        for alternative in situation.alternatives:
            false = (
                _false_condition(situation, alternative, candidate, objection)
                for candidate in question.stock.candidates
                if isinstance(objection := attempt.unselectable(alternative, candidate), NotSelected)
                and not objection.of_class
            )
            for index, condition in dict.fromkeys(each for each in false if each):
                yield _relaxed(situation, node, alternative, index, condition)


def _false_condition(
    situation: Situation, alternative: Alternative, candidate: Candidate, objection: NotSelected
) -> tuple[int, str] | None:
    """With the index of its selector in the request. None if no condition is false when read alone."""
    index = objection.index - alternative.selection.from_class
    for condition in conjuncts(expressions(situation, alternative)[index]):
        program = compile_selector(condition, ENVIRONMENT)
        if isinstance(program, Program) and program.matches(candidate.device, candidate.id.driver) is False:
            return index, condition
    return None


def _relaxed(
    situation: Situation, node: NodeName, alternative: Alternative, index: int, condition: str
) -> Remedy:
    texts = expressions(situation, alternative)
    rest = without(texts[index], condition)
    kept = (*texts[:index], *((rest,) if rest else ()), *texts[index + 1 :])
    claims = asking(situation.claims, alternative, selectors=selectors(kept))
    message = f"drop `{condition}` from selector #{index} of {request_of(situation, alternative)}"
    return Remedy(ChangeKind.RELAX_SELECTOR, message, node, 1, partial(so_asked, claims, situation))


def reductions(situation: Situation) -> Iterator[Remedy]:
    """To as many devices as can be had one by one, or to fewer, down to one."""
    for question in (kind.first for kind in situation.kinds):
        node = question.stock.node.name
        for alternative in situation.alternatives:
            most = (
                0 if alternative.takes_all else min(_available(alternative, question), alternative.count - 1)
            )
            for count in range(most, 0, -1):
                yield _reduced(situation, node, alternative, count)


def _available(alternative: Alternative, question: Question) -> int:
    attempt = Attempt(question)
    return sum(
        not (
            attempt.in_use(alternative, candidate)
            or attempt.unselectable(alternative, candidate)
            or attempt.unavailable(alternative, candidate)
        )
        for candidate in question.stock.candidates
    )


def _reduced(situation: Situation, node: NodeName, alternative: Alternative, count: int) -> Remedy:
    claims = asking(situation.claims, alternative, count=count)
    devices = "device" if count == 1 else "devices"
    where = request_of(situation, alternative)
    message = f"ask for {count} {devices} instead of {alternative.count} in {where}"
    forgone = alternative.count - count
    return Remedy(ChangeKind.ASK_FEWER, message, node, forgone, partial(so_asked, claims, situation))
