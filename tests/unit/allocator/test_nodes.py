"""Node selectors: which nodes a slice is for."""

from __future__ import annotations

import pytest

from slicewire.allocator.core.nodes import NodeView, Unreadable, selects
from slicewire.common.model import NodeName, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm

NODE = NodeView(NodeName("node-a"), {"zone": "east", "gpus": "8", "spare": ""})


def labels(key: str, operator: str, *values: str) -> NodeSelectorTerm:
    return NodeSelectorTerm(
        match_expressions=(NodeSelectorRequirement(key=key, operator=operator, values=values),)
    )


def fields(key: str, operator: str, *values: str) -> NodeSelectorTerm:
    return NodeSelectorTerm(
        match_fields=(NodeSelectorRequirement(key=key, operator=operator, values=values),)
    )


def selector(*terms: NodeSelectorTerm) -> NodeSelector:
    return NodeSelector(node_selector_terms=terms)


@pytest.mark.parametrize(
    ("term", "hit"),
    [
        (labels("zone", "In", "east", "west"), True),
        (labels("zone", "In", "west"), False),
        (labels("rack", "In", "west"), False),
        (labels("zone", "NotIn", "west"), True),
        (labels("zone", "NotIn", "east"), False),
        (labels("rack", "NotIn", "east"), True),
        (labels("spare", "Exists"), True),
        (labels("rack", "Exists"), False),
        (labels("rack", "DoesNotExist"), True),
        (labels("spare", "DoesNotExist"), False),
        (labels("gpus", "Gt", "7"), True),
        (labels("gpus", "Gt", "8"), False),
        (labels("gpus", "Lt", "9"), True),
        (labels("gpus", "Lt", "8"), False),
        (labels("zone", "Gt", "1"), False),
        (labels("rack", "Lt", "1"), False),
        (fields("metadata.name", "In", "node-a"), True),
        (fields("metadata.name", "In", "node-b"), False),
        (fields("metadata.name", "NotIn", "node-b"), True),
    ],
)
def test_each_operator_has_the_meaning_of_node_affinity(term: NodeSelectorTerm, hit: bool) -> None:
    assert selects(selector(term), NODE) is hit


def test_all_requirements_of_a_term_must_hold_and_one_term_is_enough() -> None:
    both = NodeSelectorTerm(
        match_expressions=labels("zone", "In", "east").match_expressions,
        match_fields=fields("metadata.name", "In", "node-b").match_fields,
    )

    assert selects(selector(both), NODE) is False
    assert selects(selector(both, labels("zone", "Exists")), NODE) is True


def test_nothing_selects_nothing() -> None:
    assert selects(selector(), NODE) is False
    assert selects(selector(NodeSelectorTerm()), NODE) is False


@pytest.mark.parametrize(
    ("term", "reason"),
    [
        (labels("zone", "Near", "east"), "key zone: unknown operator 'Near'"),
        (labels("zone", "In"), "key zone: In needs at least one value"),
        (labels("zone", "Exists", "east"), "key zone: Exists takes no values"),
        (labels("gpus", "Gt", "many"), "key gpus: Gt needs exactly one integer, not 'many'"),
        (labels("gpus", "Lt", "1", "2"), "key gpus: Lt needs exactly one integer, not '1, 2'"),
        (fields("metadata.uid", "In", "x"), "field 'metadata.uid': only metadata.name can be matched"),
        (fields("metadata.name", "Exists"), "field metadata.name: operator 'Exists' is neither In nor NotIn"),
        (fields("metadata.name", "In", "a", "b"), "field metadata.name: needs exactly one value, has 2"),
    ],
)
def test_a_selector_that_cannot_be_read_says_which_part(term: NodeSelectorTerm, reason: str) -> None:
    assert selects(selector(labels("zone", "Exists"), term), NODE) == Unreadable(reason)
