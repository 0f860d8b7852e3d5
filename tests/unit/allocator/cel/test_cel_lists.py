"""Lists and sets."""

from __future__ import annotations

import pytest

from tests.unit.allocator.cel.asking import ask


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("[1, 2, 2].isSorted() && !['b', 'a'].isSorted() && [].isSorted()", True),
        ("[1, 2].sum() == 3 && [1.5, 2.0].sum() == 3.5 && [1u].sum() == 1u", True),
        ("[duration('1s'), duration('2s')].sum() == duration('3s')", True),
        ("attr.cores.sum() == 6", True),
        ("[9223372036854775807, 1].sum() > 0", "integer overflow"),
        ("attr.profiles.sum() == 1", "no such overload: sum(string, string)"),
        ("[3, 1, 2].min() == 1 && [3, 1, 2].max() == 3 && attr.profiles.max() == '2g.20gb'", True),
        ("attr.cores.filter(c, c > 9).max() == 1", "max called on empty list"),
        ("['a', 'b', 'a'].indexOf('a') == 0 && ['a', 'b', 'a'].lastIndexOf('a') == 2", True),
        ("[1].indexOf(2) == -1 && [1].lastIndexOf(2) == -1", True),
    ],
)
def test_kubernetes_list_functions(expression: str, answer: bool | str) -> None:
    assert ask(expression) == answer


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("[3, 1, 2].sort() == [1, 2, 3] && ['b', 'a'].sort() == ['a', 'b']", True),
        ("attr.cores.sort() == [1, 2, 3]", True),
        ("[dyn(1), dyn('a')].sort() == []", "list elements must have the same type"),
        ("[attr.driverVersion, attr.driverVersion].sort() == []", "list elements must be comparable"),
        ("['ccc', 'a', 'bb'].sortBy(x, x.size()) == ['a', 'bb', 'ccc']", True),
        ("[{'n': 2}, {'n': 1}].sortBy(m, m.n).map(m, m.n) == [1, 2]", True),
        ("[1, 1, 2, 1].distinct() == [1, 2] && [[1], [1]].distinct() == [[1]]", True),
        ("[[1, 2], [3]].flatten() == [1, 2, 3]", True),
        ("[[1]].flatten(-1) == []", "level must be non-negative"),
        ("[[[1]], [[2, 3]]].flatten(2) == [1, 2, 3] && [[[1]]].flatten(1) == [[1]]", True),
        ("lists.range(3) == [0, 1, 2] && lists.range(0) == [] && lists.range(-1) == []", True),
        ("[1, 2, 3].reverse() == [3, 2, 1]", True),
        ("[1, 2, 3].slice(1, 3) == [2, 3]", True),
        ("[1].slice(-1, 0) == []", "cannot slice(-1, 0), negative indexes not supported"),
        ("[1].slice(1, 0) == []", "cannot slice(1, 0), start index must be less than or equal to end index"),
        ("[1].slice(0, 2) == []", "cannot slice(0, 2), list is length 1"),
    ],
)
def test_extended_list_functions(expression: str, answer: bool | str) -> None:
    assert ask(expression) == answer


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("sets.contains([1, 2, 3], [3, 1, 1]) && !sets.contains([1], [2]) && sets.contains([], [])", True),
        ("sets.equivalent([1, 2], [2, 1, 1]) && !sets.equivalent([1], [1, 2])", True),
        ("sets.intersects([1, 2], [2]) && !sets.intersects([1], [2]) && !sets.intersects([], [])", True),
        ("sets.contains(attr.profiles, ['1g.10gb'])", True),
    ],
)
def test_sets_ignore_order_and_repetition(expression: str, answer: bool) -> None:
    assert ask(expression) is answer


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("attr.profiles.includes('1g.10gb') && !attr.profiles.includes('7g.80gb')", True),
        ("attr.cores.includes(3) && attr.cores.includes(3.0)", True),
        ("attr.productName.includes('NVIDIA H100') && !attr.index.includes('3')", True),
        ("attr.driverVersion.includes(semver('570.86.15')) && !attr.driverVersion.includes('x')", True),
        ("lists.range(48).includes(99)", False),
        (
            "lists.range(49).includes(99)",
            "'includes' function cannot be applied to lists longer than 48 values",
        ),
    ],
)
def test_includes_takes_a_scalar_for_a_list_of_one(expression: str, answer: bool | str) -> None:
    assert ask(expression) == answer
