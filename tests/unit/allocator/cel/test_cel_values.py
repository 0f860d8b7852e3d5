"""Operators: errors that are absorbed, numbers that compare across types, arithmetic that does not wrap."""

from __future__ import annotations

import pytest

from tests.unit.allocator.cel.asking import ask


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("attr.nope == 'x' && false", False),
        ("false && attr.nope == 'x'", False),
        ("attr.nope == 'x' || true", True),
        ("true || attr.nope == 'x'", True),
        ("attr.nope == 'x' && true", "no such key: nope"),
        ("attr.nope == 'x' || false", "no such key: nope"),
        ("attr.productName && false", False),
        ("attr.productName || false", "no such overload: _||_(string)"),
        ("true ? true : attr.nope", True),
        ("attr.index ? true : false", "no such overload: _?_:_(int)"),
    ],
)
def test_and_and_or_absorb_what_cannot_change_the_answer(expression: str, answer: bool | str) -> None:
    assert ask(expression) == answer


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("attr.index == 3.0 && attr.index == 3u && attr.index != 3.5", True),
        ("attr.index < 3.5 && attr.index >= 3u", True),
        ("attr.healthy == 1", False),
        ("dyn(1) == dyn(true)", False),
        ("attr.productName == 3", False),
        ("attr.productName < 'O' && b'a' < b'b' && false < true", True),
        ("attr.productName < 3", "no such overload: _<_(string, int)"),
        ("dyn([1]) < dyn([2])", "no such overload: _<_(list, list)"),
        ("0.0 / 0.0 == 0.0 / 0.0", False),
        ("0.0 / 0.0 < 1.0", "NaN values cannot be ordered"),
        ("9223372036854775807 < 9223372036854775808.0", True),
        ("[dyn(1), dyn(2)] == [dyn(1.0), dyn(2u)]", True),
        ("{'a': [1]} == {'a': [1]} && {'a': 1} != {'b': 1}", True),
        ("1 in [1, 2] && !('c' in ['a', 'b']) && 'a' in {'a': 1}", True),
        ("attr.productName in ['NVIDIA A100', 'NVIDIA H100']", True),
        ("attr.index in ['3']", False),
    ],
)
def test_comparison_is_by_value_and_never_between_bool_and_number(
    expression: str, answer: bool | str
) -> None:
    assert ask(expression) == answer


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("attr.driverVersion == 'x'", "no such overload: _==_(kubernetes.Semver, string)"),
        ("'x' == attr.driverVersion", False),
        ("attr.driverVersion != 'x'", True),
        ("attr.driverVersion == null", False),
    ],
)
def test_a_version_on_the_left_equals_only_versions(expression: str, answer: bool | str) -> None:
    assert ask(expression) == answer


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("7 / 2 == 3 && -7 / 2 == -3 && -7 % 2 == -1 && 7 % -2 == 1", True),
        ("1.0 / 0.0 > 1e308 && -1.0 / 0.0 < -1e308 && 1.0 / -0.0 < 0.0", True),
        ("1u + 2u == 3u && 7u / 2u == 3u && 2.5 * 2.0 == 5.0", True),
        ("'a' + 'b' == 'ab' && b'a' + b'b' == b'ab' && [1] + [2] == [1, 2]", True),
        ("9223372036854775807 + 1 > 0", "integer overflow"),
        ("-9223372036854775808 - 1 < 0", "integer overflow"),
        ("9223372036854775807 * 2 > 0", "integer overflow"),
        ("-9223372036854775808 / -1 > 0", "integer overflow"),
        ("-(-9223372036854775808) > 0", "integer overflow"),
        ("1u - 2u > 0u", "unsigned integer overflow"),
        ("1 / 0 == 1", "division by zero"),
        ("1 % 0 == 1", "modulus by zero"),
        ("attr.index + 1.0 > 0.0", "no such overload: _+_(int, double)"),
        ("attr.index + 1 == 4", True),
    ],
)
def test_arithmetic_is_exact_or_an_error(expression: str, answer: bool | str) -> None:
    assert ask(expression) == answer


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("[1, 2][1] == 2 && dyn([1, 2])[1.0] == 2 && dyn([1, 2])[1u] == 2", True),
        ("[1][1] == 1", "index out of bounds: 1"),
        ("[1][-1] == 1", "index out of bounds: -1"),
        ("dyn([1])['a'] == 1", "unsupported index type 'string' in list"),
        ("{1: 'a'}[1] == 'a' && dyn({1: 'a'})[1.0] == 'a' && dyn({1: 'a'})[1u] == 'a'", True),
        ("{true: 'yes'}[true] == 'yes' && dyn({true: 'yes'})[?1].hasValue() == false", True),
        ("{1: 'a'}[2] == 'a'", "no such key: 2"),
        ("dyn(1)[0] == 1", "no such overload: _[_](int, int)"),
        ("size('héllo') == 5 && size(b'h\\xff') == 2 && size({1: 1}) == 1 && [1].size() == 1", True),
    ],
)
def test_lists_and_maps_are_looked_into(expression: str, answer: bool | str) -> None:
    assert ask(expression) == answer


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("int('-12') == -12 && int(1.9) == 1 && int(7u) == 7 && int(timestamp(5)) == 5", True),
        ("int(duration('1s')) == 1000000000", True),
        ("int('1.5') == 1", "type conversion error from 'string' to 'int'"),
        ("int(1e19) > 0", "integer overflow"),
        ("uint(3) == 3u && uint('3') == 3u && uint(3.9) == 3u", True),
        ("uint(-1) == 0u", "unsigned integer overflow"),
        ("double('1.5') == 1.5 && double(2) == 2.0 && double(2u) == 2.0", True),
        ("double('x') == 1.0", "type conversion error from 'string' to 'double'"),
        ("string(1.0) == '1' && string(-1.25) == '-1.25' && string(1e21) == '1e+21'", True),
        ("string(0.00001) == '1e-05' && string(1u) == '1' && string(true) == 'true'", True),
        ("string(b'abc') == 'abc' && bytes('abc') == b'abc'", True),
        ("string(b'\\xff') == ''", "invalid UTF-8 in bytes, cannot convert to string"),
        ("bool('true') && !bool('F')", True),
        ("bool('yes')", "type conversion error from 'string' to 'bool'"),
        ("type(attr.index) == int && type(attr.productName) == string && type(attr.cores) == list", True),
    ],
)
def test_conversions_hold_or_are_errors(expression: str, answer: bool | str) -> None:
    assert ask(expression) == answer


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("optional.none().or(dyn(optional.of(1))).hasValue()", True),
        ("optional.none().or(dyn(1)).hasValue()", "no such overload: hasValue(int)"),
        ("optional.none().or(dyn('a')).value() == 1", "no such overload: value(string)"),
        ("optional.none().or(dyn(1)).hasValue() || true", True),
    ],
)
def test_what_a_dyn_passes_through_or_need_not_be_optional(expression: str, answer: bool | str) -> None:
    assert ask(expression) == answer
