"""The conditions of a selector, as they were written."""

from __future__ import annotations

import pytest

from slicewire.allocator.core.conjuncts import conjuncts, without


@pytest.mark.parametrize(
    ("expression", "conditions"),
    [
        ("a", ["a"]),
        ("a && b == 1 && c", ["a", "b == 1", "c"]),
        ("(a && b) && c", ["a", "b", "c"]),
        ("((a && (b && c)))", ["a", "b", "c"]),
        ("(a || b) && !(c)", ["(a || b)", "!(c)"]),
        ("a || b && c", ["a || b && c"]),
        ("a ? b && c : d", ["a ? b && c : d"]),
        ("(a) && (b)", ["(a)", "(b)"]),
        ('x["a && b"] == "&&" && f(a && b)', ['x["a && b"] == "&&"', "f(a && b)"]),
        ("[1].all(x, x > 0 && x < 2) && a", ["[1].all(x, x > 0 && x < 2)", "a"]),
        ("  a // first && foremost\n && b ", ["a", "b"]),
    ],
)
def test_a_selector_is_split_where_all_of_it_must_hold(expression: str, conditions: list[str]) -> None:
    assert list(conjuncts(expression)) == conditions


def test_the_rest_still_says_what_it_said() -> None:
    assert without("(a || b) && c && !(d)", "c") == "(a || b) && !(d)"
    assert without("a && b && a", "a") == "b"
    assert without("a", "a") == ""
