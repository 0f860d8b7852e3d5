"""Loops, bindings and optional values."""

from __future__ import annotations

import pytest

from tests.unit.allocator.cel.asking import ask


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("[1, 2].all(x, x > 0) && ![1, 2].all(x, x > 1) && [].all(x, false)", True),
        ("[1, 2].exists(x, x == 2) && ![].exists(x, true)", True),
        ("[1, 2, 2].exists_one(x, x == 1) && ![1, 2, 2].existsOne(x, x == 2)", True),
        ("[1, 2].map(x, x * 10) == [10, 20] && [1, 2].map(x, x > 1, x * 10) == [20]", True),
        ("[1, 2, 3].filter(x, x % 2 == 1) == [1, 3]", True),
        ("{'a': 1, 'b': 2}.all(k, k < 'c') && {'a': 1}.map(k, k) == ['a']", True),
        ("{true: 1}.all(k, k) && {2: 'x'}.exists(k, k == 2)", True),
        ("[7, 8].all(i, x, x == i + 7) && {'a': 1}.all(k, v, k == 'a' && v == 1)", True),
        ("[7, 8].exists(i, x, i == 1 && x == 8) && {'a': 1, 'b': 1}.existsOne(k, v, k == 'a')", True),
        ("[5, 6].transformList(i, x, i * x) == [0, 6]", True),
        ("[5, 6].transformList(i, x, i > 0, x) == [6]", True),
        ("{'a': 1, 'b': 2}.transformMap(k, v, v + 1) == {'a': 2, 'b': 3}", True),
        ("{'a': 1, 'b': 2}.transformMap(k, v, v > 1, v) == {'b': 2}", True),
        ("{'a': 'x'}.transformMapEntry(k, v, {v: k}) == {'x': 'a'}", True),
        ("['a', 'b'].transformMapEntry(i, v, i > 0, {v: i}) == {'b': 1}", True),
        (
            "{'a': 1, 'b': 1}.transformMapEntry(k, v, {v: k}) == {1: 'a'}",
            "insert failed: key 1 already exists",
        ),
        ("[[1, 2], [3]].all(x, x.all(y, y > 0)) && [1].all(x, [2].all(x, x == 2))", True),
        ("attr.cores.exists(c, c == 1) && attr.profiles.map(p, p.size()) == [7, 7]", True),
    ],
)
def test_loops_go_over_lists_and_maps(expression: str, answer: bool | str) -> None:
    assert ask(expression) == answer


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("[1, 2].all(x, x == 1 && attr.nope)", False),
        ("[1, 2].exists(x, x == 2 || attr.nope)", True),
        ("[1].all(x, attr.nope)", "no such key: nope"),
        ("[1].exists(x, attr.productName)", "no such overload: _||_(string)"),
        ("[1, 2].exists_one(x, x == 1 || attr.nope)", "no such key: nope"),
        ("[1].map(x, attr.nope) == []", "no such key: nope"),
    ],
)
def test_all_and_exists_absorb_errors_and_the_others_do_not(expression: str, answer: bool | str) -> None:
    assert ask(expression) == answer


@pytest.mark.parametrize(
    ("attribute", "kind"),
    [
        ("healthy", "types.Bool"),
        ("index", "types.Int"),
        ("productName", "types.String"),
        ("driverVersion", "cel.Semver"),
    ],
)
def test_a_scalar_cannot_be_looped_over(attribute: str, kind: str) -> None:
    assert ask(f"attr.{attribute}.exists(x, true)") == f"got '{kind}', expected iterable type"


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("cel.bind(a, 1 + 1, a + a == 4)", True),
        ("cel.bind(a, 1, cel.bind(a, a + 1, a == 2))", True),
        ("cel.bind(a, attr.nope, true)", True),
        ("cel.bind(a, attr.nope, a == 1)", "no such key: nope"),
        ("cel.bind(a, [1].map(x, x), [5].all(y, y == 5 && a[0] == 1 && y == 5))", True),
        ("[1, 2].map(x, cel.bind(y, x * 2, y + y)) == [4, 8]", True),
    ],
)
def test_a_bound_value_is_evaluated_when_it_is_needed(expression: str, answer: bool | str) -> None:
    assert ask(expression) == answer


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("optional.of(1).hasValue() && !optional.none().hasValue()", True),
        ("optional.of(1).value() == 1", True),
        ("optional.none().value() == 1", "optional.none() dereference"),
        ("optional.of(1) == optional.of(1) && optional.of(1) != optional.none()", True),
        ("!optional.ofNonZeroValue('').hasValue() && optional.ofNonZeroValue(1).hasValue()", True),
        ("!optional.ofNonZeroValue(duration('0s')).hasValue()", True),
        ("optional.none().or(optional.of(2)).value() == 2", True),
        ("optional.of(1).or(optional.of(attr.nope)).value() == 1", True),
        ("optional.of(1).orValue(attr.nope) == 1 && optional.none().orValue(5) == 5", True),
        ("optional.of(2).optMap(x, x * 2).value() == 4 && !optional.none().optMap(x, x).hasValue()", True),
        ("optional.of([3]).optFlatMap(x, x[?0]).value() == 3", True),
        ("!optional.of([3]).optFlatMap(x, x[?1]).hasValue()", True),
        ("attr.?index.optMap(i, i + 1).orValue(0) == 4", True),
        ("{'a': {'b': 1}}.?a.?b.value() == 1 && !{'a': {'b': 1}}.?x.b.hasValue()", True),
        ("has({'a': {'b': 1}}.?a.b)", True),
        ("[1, 2][?1].value() == 2 && ![1, 2][?2].hasValue() && optional.of([1])[0].value() == 1", True),
        ("[?optional.of(1), ?optional.none(), 3] == [1, 3]", True),
        ("{?'a': optional.of(1), ?'b': optional.none()} == {'a': 1}", True),
        ("[1, 2].first().value() == 1 && [1, 2].last().value() == 2 && ![].first().hasValue()", True),
        ("[optional.of(1), optional.none()].unwrapOpt() == [1]", True),
        ("optional.unwrap([optional.of(1)]) == [1]", True),
        ("dyn(1).optMap(x, x).hasValue()", "no such overload: optMap(int)"),
        ("dyn(1).orValue(2) == 1", "no such overload: orValue(int)"),
    ],
)
def test_optional_values_stand_for_what_may_be_absent(expression: str, answer: bool | str) -> None:
    assert ask(expression) == answer


def test_a_chain_of_optional_maps_costs_no_more_than_its_length() -> None:
    assert ask("optional.of(1)" + ".optMap(x, x)" * 80 + ".hasValue()") is True
