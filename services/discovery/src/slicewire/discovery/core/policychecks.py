"""A node policy as a person wrote it, checked.

Strict, since a typo here would offer the wrong thing to everybody: an unknown field, a value that is none,
and a choice that could not mean anything are errors that name field and value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from slicewire.common.model import wire
from slicewire.discovery.core import pci
from slicewire.discovery.core.policy import Choice, DeviceType, Match, NodePolicy, Partitions, Rule

_CHOICES = {
    "offer": "one of gpu, mig, vfio",
    "partitions": "static or dynamic",
    "shares": "disabled, unlimited, memory or a number from 1",
}
"""What there is to choose from, by field."""
_UNKNOWN = "Object contains unknown field "
_INDEX = re.compile(r"\[\d+\]")
_STEP = re.compile(r"\[\d+\]|[^.\[\]]+")


class BadPolicy(ValueError):
    """The policy cannot be used; the message names field and value."""


def checked(document: object) -> NodePolicy:
    """From a YAML document as plain values. Raises `BadPolicy`."""
    if not isinstance(document, Mapping):
        raise BadPolicy(f"a policy is a mapping with apiVersion and kind, not {document!r}")
    header = {"apiVersion": NodePolicy.API_VERSION, "kind": NodePolicy.KIND}
    for field, expected in header.items():
        if document.get(field) != expected:
            raise BadPolicy(f"{field}: {document.get(field)!r} is not {expected}")
    try:
        found = wire.strictly(document, NodePolicy)
    except wire.Malformed as error:
        raise BadPolicy(_in_words(str(error), document)) from error
    wrong = next(_wrong(found), None)
    if wrong is not None:
        raise BadPolicy(wrong)
    return found


def _in_words(error: str, document: object) -> str:
    """`Expected `int` >= 1 - at `$.rules[0].shares`` → `rules[0].shares: 0 is not …`."""
    reason, _, path = error.partition(" - at `$")
    path = path.rstrip("`").removeprefix(".")
    field = _INDEX.sub("", path).rpartition(".")[2]
    if reason.startswith(_UNKNOWN):
        return f"{path or 'policy'}: there is no field {reason.removeprefix(_UNKNOWN)}"
    meant = f"is not {_CHOICES[field]}" if field in _CHOICES else f"cannot be used: {reason}"
    return f"{path}: {_at(path, document)!r} {meant}"


def _at(path: str, document: Any) -> object:
    """The value that an error is about."""
    for step in _STEP.findall(path):
        document = document[int(step[1:-1]) if step.startswith("[") else step]
    return document


def _wrong(found: NodePolicy) -> Iterator[str]:
    yield from _wrong_choice("default", Rule(**msgspec.structs.asdict(found.default)), Choice())
    for place, rule in enumerate(found.rules):
        yield from _wrong_choice(f"rules[{place}]", rule, found.default)
        yield from _wrong_match(f"rules[{place}].match", rule.match)


def _wrong_choice(field: str, rule: Rule, default: Choice) -> Iterator[str]:
    """What is said together and cannot be meant; what is inherited only does not count."""
    offer = rule.chosen(default).offer
    if len(set(offer)) < len(offer):
        yield f"{field}.offer: {_listed(offer)} names one twice"
    if rule.partitions is Partitions.DYNAMIC and DeviceType.MIG not in offer:
        yield f"{field}.partitions: dynamic offers partitions, and offer {_listed(offer)} has no mig"
    shareable = {DeviceType.GPU, DeviceType.MIG} & set(offer)
    if rule.shares not in {None, "disabled"} and offer and not shareable:
        yield f"{field}.shares: {rule.shares} of what? A GPU given to a virtual machine is given whole"


def _wrong_match(field: str, match: Match) -> Iterator[str]:
    for known in msgspec.structs.fields(Match):
        values: tuple[str, ...] | None = getattr(match, known.name)
        if values == ():
            yield f"{field}.{known.encode_name}: [] matches no GPU; leave it out to match all"
        for value in values or ():
            if not value:
                yield f"{field}.{known.encode_name}: '' matches no GPU"
    for value in match.pci_bus_ids or ():
        if pci.bus_id(value) != value:
            yield f"{field}.pciBusIDs: {value!r} is not written as 0000:1a:00.0"


def _listed(offer: tuple[DeviceType, ...]) -> str:
    return f"[{', '.join(offer)}]"
