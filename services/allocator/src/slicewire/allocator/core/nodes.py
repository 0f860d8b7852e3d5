"""Which nodes a slice or a device is for: node selectors with the full meaning of node affinity.

Refuses to guess: a selector that cannot be read is told as such, never taken as "no match".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from slicewire.common.model import (
    DriverName,
    NodeName,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
)

NAME_FIELD = "metadata.name"
"""The only field that core/v1 lets a node selector match."""


class NodeView(msgspec.Struct, frozen=True):
    """As much of a node as placement looks at. `silent`: the drivers whose agents do not answer there."""

    name: NodeName
    labels: Mapping[str, str] = {}
    silent: frozenset[DriverName] = frozenset()


class Unreadable(msgspec.Struct, frozen=True):
    """A node selector that means nothing, and what is wrong with it."""

    reason: str


_Test = Callable[[str | None, tuple[str, ...]], bool]
_TESTS: Mapping[str, _Test] = {
    "In": lambda value, values: value in values,
    "NotIn": lambda value, values: value not in values,
    "Exists": lambda value, _: value is not None,
    "DoesNotExist": lambda value, _: value is None,
    "Gt": lambda value, values: (number := _integer(value)) is not None and number > int(values[0]),
    "Lt": lambda value, values: (number := _integer(value)) is not None and number < int(values[0]),
}


def selects(selector: NodeSelector, node: NodeView) -> bool | Unreadable:
    """One term that matches is enough; a term without requirements matches nothing."""
    for term in selector.node_selector_terms:
        for problem in _problems(term):
            return Unreadable(problem)
    return any(_term_matches(term, node) for term in selector.node_selector_terms)


def _term_matches(term: NodeSelectorTerm, node: NodeView) -> bool:
    if not term.match_expressions and not term.match_fields:
        return False
    return all(
        _TESTS[requirement.operator](node.labels.get(requirement.key), requirement.values)
        for requirement in term.match_expressions
    ) and all(
        _TESTS[requirement.operator](node.name, requirement.values) for requirement in term.match_fields
    )


def _problems(term: NodeSelectorTerm) -> list[str]:
    return [
        *(p for requirement in term.match_expressions if (p := _expression_problem(requirement))),
        *(p for requirement in term.match_fields if (p := _field_problem(requirement))),
    ]


def _expression_problem(requirement: NodeSelectorRequirement) -> str:
    key, values = requirement.key, requirement.values
    match requirement.operator:
        case "In" | "NotIn":
            return "" if values else f"key {key}: {requirement.operator} needs at least one value"
        case "Exists" | "DoesNotExist":
            return f"key {key}: {requirement.operator} takes no values" if values else ""
        case "Gt" | "Lt":
            if len(values) == 1 and _integer(values[0]) is not None:
                return ""
            return f"key {key}: {requirement.operator} needs exactly one integer, not {', '.join(values)!r}"
        case unknown:
            return f"key {key}: unknown operator {unknown!r}"


def _field_problem(requirement: NodeSelectorRequirement) -> str:
    if requirement.key != NAME_FIELD:
        return f"field {requirement.key!r}: only {NAME_FIELD} can be matched"
    if requirement.operator not in ("In", "NotIn"):
        return f"field {requirement.key}: operator {requirement.operator!r} is neither In nor NotIn"
    if len(requirement.values) != 1:
        return f"field {requirement.key}: needs exactly one value, has {len(requirement.values)}"
    return ""


def _integer(text: str | None) -> int | None:
    """A signed decimal of 64 bits, as labels are compared upstream; anything else is no number."""
    digits = text[1:] if text and text[0] in "+-" else text
    if not text or not digits or not (digits.isascii() and digits.isdigit()):
        return None
    number = int(text)
    return number if -(2**63) <= number < 2**63 else None
