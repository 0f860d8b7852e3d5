"""What may be written, and how a mistake is pointed out."""

from __future__ import annotations

import pytest

from tests.unit.allocator.cel.asking import ask, refusal


@pytest.mark.parametrize(
    "expression",
    [
        "0x1F == 31 && 7u == uint(7) && -9223372036854775808 < 0",
        ".5 == 5e-1 && 1.25e2 == 125.0 && 1E+2 == 100.0",
        r'"\x41\u0042\U00000043\104\n\"" == "ABCD\n" + "\""',
        r"""r'\d' == '\\d' && R"\n".size() == 2""",
        '"""two\nlines""" == "two\\nlines"',
        "'''it's''' == \"it's\"",
        r'b"\xff\101é".size() == 4 && br"\n".size() == 2',
        "true // the rest is a remark && false\n && true",
        "1 + 2 * 3 == 7 && (1 + 2) * 3 == 9 && 7 - 2 - 1 == 4",
        "true || false && false",
        "false ? false : true ? true : false",
        "!!true && !false && --1 == 1 && 1 - -1 == 2",
        "[1, 2,] == [1, 2] && {'a': 1,} == {'a': 1}",
        ".device.driver == device.driver",
        "{'for': 1}.for == 1",
    ],
)
def test_the_notation_of_cel_is_read(expression: str) -> None:
    assert ask(expression) is True


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("", "Syntax error: the expression ends here"),
        ("?!", "Syntax error: unexpected '?'"),
        ("true true", "unexpected 'true', expected the end of the expression"),
        ("device.driver == 'open", "this text is never closed"),
        ("1 # 2", "unexpected character '#'"),
        ("[1, 2", "the expression ends here, expected ','"),
        ("f(1,)", "unexpected ')'"),
        ("!-1 == 1", "unexpected '-'"),
        (r'"\q" == ""', "is no escape sequence"),
        (r'"\ud800" == ""', "is no Unicode character"),
        (r'b"\u0041" == b"A"', "is not allowed in bytes"),
        ("9223372036854775808 > 0", "invalid int literal"),
        ("18446744073709551616u > 0u", "invalid uint literal"),
        ("1e999 > 1.0", "invalid double literal"),
        ("1" * 400 + " > 0", "too many digits"),
        ("while == 1", "reserved identifier: while"),
        ("Point{x: 1} == Point{x: 1}", "messages cannot be built here"),
        ("device.`driver` == ''", "unexpected character '`'"),
        ("has(device)", "invalid argument to has() macro"),
        ("[1].all(1, true)", "argument must be a simple name"),
        ("[1].all(__result__, true)", "overwrites accumulator"),
        ("[1].exists(i, i, true)", "duplicate variable name: i"),
    ],
)
def test_a_mistake_is_named(expression: str, message: str) -> None:
    assert message in refusal(expression).message


def test_a_mistake_is_pointed_out_by_line_and_column() -> None:
    fault = refusal("true &&\n  device.colour == 'red'")
    assert (fault.line, fault.column) == (2, 10)
    assert fault.message == "undefined field 'colour' (line 2, column 10)"


@pytest.mark.parametrize(
    "expression",
    [
        "(" * 3000 + "true" + ")" * 3000,
        "[" * 3000 + "]" * 3000,
        "true ? true : " * 700 + "true",
        "1" + "+1" * 4000 + " == 1",
        "device" + ".a" * 4000,
        "[1]" + "[0]" * 3000,
        "{1: " * 1500 + "1" + "}" * 1500,
        "f(" * 2000,
    ],
)
def test_nesting_is_bounded_and_never_exhausts_the_stack(expression: str) -> None:
    assert "nested deeper than" in refusal(expression).message


def test_long_chains_of_and_and_of_negation_are_not_nesting() -> None:
    assert ask("true" + " && true" * 1000) is True
    assert ask("!" * 10000 + "true") is True


def test_an_expression_longer_than_kubernetes_allows_is_refused() -> None:
    assert "longer than 10240 bytes" in refusal("true" + " " * 10240).message
    assert ask("true" + " " * 10236) is True


def test_text_that_is_not_unicode_is_refused() -> None:
    assert "not valid Unicode" in refusal("'\ud800' == ''").message
