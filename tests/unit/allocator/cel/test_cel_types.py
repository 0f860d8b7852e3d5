"""The type checker: what the API server would not store is refused here too, in the same words."""

from __future__ import annotations

import pytest

from slicewire.allocator.core.cel import Environment
from tests.unit.allocator.cel.asking import ask, program, refusal

NEW = Environment(consumable_capacity=False, list_attributes=False, stored=False)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("1 == 1.0", "found no matching overload for '_==_' applied to '(int, double)'"),
        ("1u == 1", "found no matching overload"),
        ("device.driver == 1", "found no matching overload for '_==_' applied to '(string, int)'"),
        ("cap.memory > quantity('1Gi')", "'(kubernetes.Quantity, kubernetes.Quantity)'"),
        ("attr.driverVersion < semver('1.0.0')", "applied to '(dyn, kubernetes.Semver)'"),
        ("cap.memory.sign() == 1", "found no matching overload for 'sign'"),
        ("[1, 'a'] == [1, 'a']", "expected type 'int' but found 'string'"),
        ("[1, dyn('a')] == [1]", "expected type 'int' but found 'dyn'"),
        ("{'a': 1, 'b': true} == {}", "expected type 'int' but found 'bool'"),
        ("{[1]: 1} == {}", "unsupported key type: list(int)"),
        ("(true ? 1 : 'a') == 1", "found no matching overload for '_?_:_'"),
        ("1 && true", "expected type 'bool' but found 'int'"),
        ("!device.driver", "found no matching overload for '!_'"),
        ("device['driver'] == ''", "found no matching overload for '_[_]'"),
        ("device.colour == ''", "undefined field 'colour'"),
        ("device.driver.length == 1", "type 'string' does not support field selection"),
        ("gpus == 1", "undeclared reference to 'gpus' (in container '')"),
        ("gpus(1) == 1", "undeclared reference to 'gpus'"),
        ("math.abs(-1) == 1", "undeclared reference"),
        ("device.driver.matches('(?=x)')", "invalid matches argument"),
        ("device.driver.find('(') == ''", "invalid find argument"),
        ("device.driver.findAll('[') == []", "invalid findAll argument"),
        ("duration('soon') > duration('1s')", "invalid duration argument"),
        ("timestamp('today') > timestamp(0)", "invalid timestamp argument"),
        ("1.all(x, true)", "expression of type 'int' cannot be range of a comprehension"),
        ("[1].all(x, x)", "expected type 'bool' but found 'int'"),
        ("[1].filter(x, 'a') == []", "expected type 'bool' but found 'string'"),
        ("optional.of(1).orValue('a') == 1", "found no matching overload for 'orValue'"),
        ("device.driver.?x.hasValue()", "type 'string' does not support field selection"),
        ("[?1] == [1]", "expected type 'optional_type(int)' but found 'int'"),
        ("'%d'.format(['a']) == ''", "%d cannot be used on string"),
        ("'%d'.format([1, 2]) == ''", "too many arguments supplied to string.format (expected 1, got 2)"),
        ("'%s %s'.format(['a']) == ''", "more clauses than arguments"),
        ("'%q'.format(['a']) == ''", "could not parse formatting clause"),
    ],
)
def test_a_wrong_type_is_refused(expression: str, message: str) -> None:
    assert message in refusal(expression).message


@pytest.mark.parametrize(
    ("expression", "found"),
    [("1", "int"), ("device.attributes", "map(string, map(string, dyn))"), ("[true]", "list(bool)")],
)
def test_a_selector_must_be_a_bool_or_unknown(expression: str, found: str) -> None:
    fault = refusal(expression)
    assert f"must evaluate to bool or the unknown type, not {found}" in fault.message


@pytest.mark.parametrize(
    "expression",
    [
        "1 < 1.5 && 2u > 1 && 1.5 <= 2u",
        "[[], [1]] == [[], [1]] && [] == [1] == false",
        "(true ? attr.index : 1) == 3",
        "[attr.index, attr.productName].size() == 2",
        "'%s %d'.format(['a', dyn(1)]) == 'a 1'",
        "type(1) == int && type(int) == type && type([1]) == list && type({}) == map",
        "type(ip('::1')) == net.IP && type(timestamp(0)) == google.protobuf.Timestamp",
        "null == null && optional.none() != null && cap.memory != null",
    ],
)
def test_what_the_checker_lets_through_has_an_answer(expression: str) -> None:
    assert ask(expression) is True


def test_types_nested_beyond_reason_are_refused() -> None:
    expression = "x == x"
    for _ in range(40):
        expression = f"cel.bind(x, [x], {expression})"
    assert "nested too deeply" in refusal(f"cel.bind(x, [1], {expression})").message


def test_a_new_expression_may_only_use_what_is_switched_on() -> None:
    assert (
        "undefined field 'allowMultipleAllocations'"
        in refusal("device.allowMultipleAllocations", NEW).message
    )
    assert "undeclared reference to 'includes'" in refusal("attr.index.includes(3)", NEW).message
    assert "expression of type 'any' cannot be range" in refusal("attr.cores.all(c, c > 0)", NEW).message
    assert program("attr.healthy", NEW)


def test_a_stored_expression_may_use_everything() -> None:
    stored = Environment(consumable_capacity=False, list_attributes=False, stored=True)
    for expression in (
        "device.allowMultipleAllocations",
        "attr.index.includes(3)",
        "attr.cores.all(c, c > 0)",
    ):
        assert program(expression, stored)


def test_each_switch_opens_its_own_part() -> None:
    shared = Environment(consumable_capacity=True, list_attributes=False, stored=False)
    listed = Environment(consumable_capacity=False, list_attributes=True, stored=False)
    assert program("device.allowMultipleAllocations", shared)
    assert "includes" in refusal("attr.index.includes(3)", shared).message
    assert program("attr.index.includes(3)", listed)
    assert "allowMultipleAllocations" in refusal("device.allowMultipleAllocations", listed).message
