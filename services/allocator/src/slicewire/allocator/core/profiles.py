"""Another MIG profile in place of the one that is asked for, in the request's selector or by its class.

A profile is asked for by a condition `….profile == "…"`; whether another fits is for changes.py to try.
The larger ones go first, they hold all that was asked for; of either side the nearest in size.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from slicewire.allocator.core.attempt import Question
from slicewire.allocator.core.conjuncts import conjuncts
from slicewire.allocator.core.holdings import Amount
from slicewire.allocator.core.remedies import (
    Remedy,
    Situation,
    asked,
    asking,
    expressions,
    request_of,
    selectors,
    so_asked,
)
from slicewire.allocator.core.requests import Alternative
from slicewire.allocator.core.stock import Candidate
from slicewire.common.model import ChangeKind, DeviceClass, NodeName
from slicewire.common.model.device import qualified

_ASKS_FOR = re.compile(
    r"""(?P<attribute>.*\.profile\s*==\s*)(?P<quote>["'])(?P<profile>[^"'\\]*)(?P=quote)""", re.DOTALL
)
_PLAIN = re.compile(r"[A-Za-z0-9.+_-]+")
"""What a profile is called; anything else is not to be put into a selector."""
_SMALLER = 1_000
"""Added to the weight of a profile that is smaller than the one asked for."""

_Sizes = Mapping[str, Amount]
"""The memory of a device, by profile."""


def other_profiles(situation: Situation) -> Iterator[Remedy]:
    for question in (kind.first for kind in situation.kinds):
        sizes = _sizes(question)
        if len(sizes) > 1:
            for alternative in situation.alternatives:
                yield from _by_selector(situation, question.stock.node.name, alternative, sizes)
                yield from _by_class(situation, question.stock.node.name, alternative, sizes)


def _sizes(question: Question) -> _Sizes:
    found: dict[str, Amount] = {}
    for candidate in question.stock.candidates:
        profile = _profile(candidate)
        if profile and profile not in found and _PLAIN.fullmatch(profile):
            found[profile] = _memory(candidate)
    return found


def _profile(candidate: Candidate) -> str | None:
    driver = candidate.id.driver
    return next(
        (
            value.string
            for name, value in candidate.device.attributes.items()
            if qualified(name, driver) == (driver, "profile")
        ),
        None,
    )


def _memory(candidate: Candidate) -> Amount:
    memory = candidate.device.capacity.get("memory")
    return memory.value.value if memory else 0


def _by_selector(
    situation: Situation, node: NodeName, alternative: Alternative, sizes: _Sizes
) -> Iterator[Remedy]:
    written = expressions(situation, alternative)
    for index, expression in enumerate(written):
        if (profile := _asked_for(expression)) is None:
            continue
        for other, weight in _others(profile, sizes):
            kept = (*written[:index], _with(expression, other), *written[index + 1 :])
            claims = asking(situation.claims, alternative, selectors=selectors(kept))
            message = f"choose profile {other} instead of {profile} in {request_of(situation, alternative)}"
            yield Remedy(
                ChangeKind.CHOOSE_PROFILE, message, node, weight, partial(so_asked, claims, situation)
            )


def _by_class(
    situation: Situation, node: NodeName, alternative: Alternative, sizes: _Sizes
) -> Iterator[Remedy]:
    """To a class that says the same but for the profile."""
    name = asked(situation.claims[alternative.claim_index], alternative).device_class_name
    classes = situation.snapshot.classes
    known = _class_profile(classes[name])
    if known is None:
        return
    siblings = {
        profile: each.metadata.name
        for each in classes.values()
        if (found := _class_profile(each)) and found[1] == known[1] and (profile := found[0]) != known[0]
    }
    for other, weight in _others(known[0], sizes):
        if other in siblings:
            claims = asking(situation.claims, alternative, device_class_name=siblings[other])
            where = request_of(situation, alternative)
            message = f"choose profile {other} (class {siblings[other]}) instead of {known[0]} in {where}"
            yield Remedy(
                ChangeKind.CHOOSE_PROFILE, message, node, weight, partial(so_asked, claims, situation)
            )


def _class_profile(device_class: DeviceClass) -> tuple[str, tuple[str, ...]] | None:
    """The profile that the class asks for, and its selectors but for that."""
    written = tuple(each.cel.expression for each in device_class.spec.selectors if each.cel)
    profiles = [profile for each in written if (profile := _asked_for(each)) is not None]
    return (profiles[0], tuple(_with(each, "") for each in written)) if len(profiles) == 1 else None


def _asked_for(expression: str) -> str | None:
    """By a condition that must hold; None where there is none, or several."""
    found = [match["profile"] for each in conjuncts(expression) if (match := _ASKS_FOR.fullmatch(each))]
    return found[0] if len(found) == 1 else None


def _with(expression: str, profile: str) -> str:
    """The same expression, asking for this profile."""
    return " && ".join(
        _ASKS_FOR.sub(rf"\g<attribute>\g<quote>{profile}\g<quote>", each)
        if _ASKS_FOR.fullmatch(each)
        else each
        for each in conjuncts(expression)
    )


def _others(profile: str, sizes: _Sizes) -> Iterator[tuple[str, int]]:
    """Each with its weight."""
    by_size: Sequence[str] = sorted(sizes, key=lambda each: (sizes[each], each))
    if profile not in sizes:
        return
    here = by_size.index(profile)
    for place, other in enumerate(by_size):
        if place != here:
            yield other, place - here if place > here else _SMALLER + here - place
