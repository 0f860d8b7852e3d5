"""Texts: searching, cutting, rewriting, formatting, patterns."""

from __future__ import annotations

import pytest

from tests.unit.allocator.cel.asking import ask


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("'hopper'.contains('opp') && 'hopper'.startsWith('ho') && 'hopper'.endsWith('er')", True),
        ("'hopper'.charAt(0) == 'h' && 'hopper'.charAt(6) == ''", True),
        ("'hopper'.charAt(7) == ''", "index out of range: 7"),
        ("'hopper'.indexOf('p') == 2 && 'hopper'.indexOf('p', 3) == 3 && 'hopper'.indexOf('z') == -1", True),
        ("'hopper'.indexOf('', 2) == 2 && 'hopper'.indexOf('p', 99) == -1", True),
        ("'hopper'.indexOf('p', -1) == 0", "index out of range: -1"),
        ("'hopper'.lastIndexOf('p') == 3 && 'hopper'.lastIndexOf('p', 2) == 2", True),
        ("'hopper'.lastIndexOf('') == 6 && 'hopper'.lastIndexOf('h', 99) == -1", True),
        ("'NViDIÅ'.lowerAscii() == 'nvidiÅ' && 'gpuå'.upperAscii() == 'GPUå'", True),
        ("'a.b.c'.replace('.', '-') == 'a-b-c' && 'a.b.c'.replace('.', '-', 1) == 'a-b.c'", True),
        ("'ab'.replace('', '_') == '_a_b_' && 'ab'.replace('a', 'x', 0) == 'ab'", True),
        ("'a,b,c'.split(',') == ['a', 'b', 'c'] && 'a,b,c'.split(',', 2) == ['a', 'b,c']", True),
        ("'abc'.split('') == ['a', 'b', 'c'] && 'abc'.split('', 2) == ['a', 'bc']", True),
        ("'a'.split(',', 0) == []", True),
        ("'hopper'.substring(3) == 'per' && 'hopper'.substring(1, 3) == 'op'", True),
        ("'hopper'.substring(3, 1) == ''", "invalid substring range. start: 3, end: 1"),
        ("'hopper'.substring(9) == ''", "index out of range: 9"),
        ("'  gpu\\t\\n'.trim() == 'gpu'", True),
        ("['a', 'b'].join() == 'ab' && ['a', 'b'].join('-') == 'a-b' && [].join() == ''", True),
        ("attr.cores.join() == ''", "join: invalid input: a int in the list"),
        (r"""strings.quote('say "hi"\n') == r'"say \"hi\"\n"'""", True),
        ("attr.index.startsWith('a')", "no such overload: startsWith(int, string)"),
    ],
)
def test_texts_are_cut_and_searched_by_character(expression: str, answer: bool | str) -> None:
    assert ask(expression) == answer


@pytest.mark.parametrize(
    ("pattern", "argument", "text"),
    [
        ("%s", "'a'", "a"),
        ("%s", "dyn(null)", "null"),
        ("%s", "1.5", "1.5"),
        ("%s", "b'ab'", "ab"),
        ("%s", "duration('90s')", "90s"),
        ("%s", "type(1)", "int"),
        ("%s", "[dyn(1), dyn('a'), dyn(1.5), dyn(b'x')]", '[1, "a", 1.500000, b"x"]'),
        ("%s", "[duration('1s')]", '[duration("1s")]'),
        ("%s", "{'b': 2, 'a': 1}", '{"a":1, "b":2}'),
        ("%d", "42u", "42"),
        ("%f", "1234.5", "1,234.500000"),
        ("%.2f", "1.005", "1.00"),
        ("%f", "'Infinity'", "∞"),
        ("%.3e", "12345.678", "1.235\u202f\u00d7\u202f10⁰⁴"),
        ("%b", "5", "101"),
        ("%b", "true", "1"),
        ("%o", "8", "10"),
        ("%x", "'hi'", "6869"),
        ("%X", "255", "FF"),
        ("100%% %s", "'sure'", "100% sure"),
    ],
)
def test_format_writes_each_clause(pattern: str, argument: str, text: str) -> None:
    assert ask(f"'{pattern}'.format([{argument}]) == {text!r}") is True


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("'%d'.format([dyn('a')]) == ''", "%d cannot be used on string"),
        ("'%f'.format([dyn(1)]) == ''", "%f takes a double, not int"),
        ("'%s'.format([dyn(cap.memory)]) == ''", "string clause cannot be used on kubernetes.Quantity"),
        ("'%.999f'.format([1.0]) == ''", "a precision of 999 is more than 340 decimals"),
        ("attr.productName.format([1]) == ''", "too many arguments supplied to string.format"),
    ],
)
def test_format_refuses_what_it_cannot_write(expression: str, message: str) -> None:
    assert message in str(ask(expression))


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("attr.productName.matches('^NVIDIA H[0-9]+$') && matches('abc', 'b') && !'abc'.matches('^b')", True),
        ("'slot 12, slot 34'.find('[0-9]+') == '12' && 'none'.find('[0-9]') == ''", True),
        ("'slot 12, slot 34'.findAll('[0-9]+') == ['12', '34']", True),
        ("'a1b2c3'.findAll('[0-9]', 2) == ['1', '2'] && 'a1'.findAll('[0-9]', 0) == []", True),
        ("'abc'.findAll('x*') == ['', '', '', ''] && 'axb'.findAll('x*') == ['', 'x', '']", True),
        ("'å1'.find('[^0-9]') == 'å'", True),
        ("'a'.matches(attr.productName + '(')", "invalid regular expression 'NVIDIA H100('"),
    ],
)
def test_patterns_are_re2(expression: str, answer: bool | str) -> None:
    found = ask(expression)
    assert found is answer or (isinstance(answer, str) and answer in str(found))
