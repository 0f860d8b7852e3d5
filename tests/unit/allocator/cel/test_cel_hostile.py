"""Whatever text arrives as a selector: a program or a fault, never an exception."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from slicewire.allocator.core.cel import CompileFault, EvaluationFault, Program, compile_selector
from slicewire.common.model import Device, DeviceAttribute, DeviceName
from tests.unit.allocator.cel.asking import DRIVER, GPU, written_out

WORDS = (
    "device", "attr.index", "attr.productName", "attr.driverVersion", "attr.cores", "cap.memory",
    "cel.bind(x,", ")", "x", "y", "true", "false", "null", "in", "&&", "||", "!", "-", "+", "*", "/", "%",
    "==", "!=", "<", "<=", ">", ">=", "?", ":", ".", ",", "(", ")", "[", "]", "{", "}", ".?", "[?", "1",
    "2u", "1.5", "0x1f", "'text'", '"text"', "r'\\d'", "b'\\xff'", "size()", "all(x,", "exists(x,",
    "map(x,", "filter(x,", "exists_one(x,", "transformMap(k,v,", "sortBy(x,", "has(", "optional.of(",
    "orValue(", "semver('1.0.0')", "quantity('1Gi')", "duration('1s')", "timestamp(0)", "ip('::1')",
    "cidr('::/8')", "url('/a')", "type(", "dyn(", "string(", "int(", ".matches(", ".find(", ".split(",
    ".format([", ".join(", ".sum()", ".flatten()", ".includes(", "sets.contains(", "lists.range(", "//",
    "\\", "`", "\n",
)  # fmt: skip
OPERANDS = (
    "1", "2u", "1.5", "'a'", "b'a'", "true", "null", "[1]", "[]", "{}", "{'a':1}", "attr.index",
    "attr.productName", "attr.driverVersion", "attr.cores", "cap.memory", "device", "device.attributes",
    "optional.none()", "optional.of(1)", "duration('1s')", "timestamp(0)", "type(1)", "int", "ip('::1')",
    "cidr('::/8')", "url('/a')", "format.uuid()", "semver('1.0.0')", "quantity('1')",
)  # fmt: skip
SHAPES = (
    "dyn({0}) == dyn({1})",
    "dyn({0}) < dyn({1})",
    "dyn({0}) + dyn({1}) == dyn({0})",
    "dyn({0}) - dyn({1}) == dyn({0})",
    "dyn({0}) in dyn({1})",
    "dyn({0})[dyn({1})] == 1",
    "dyn({0})[?dyn({1})].hasValue()",
    "{{dyn({0}): {1}}}.size() == 1",
    "[dyn({0}), dyn({1})].sort() == []",
    "[dyn({0}), dyn({1})].max() == dyn({0})",
    "[dyn({0}), dyn({1})].sum() == 1",
    "[dyn({0}), dyn({1})].join() == ''",
    "'%s %s'.format([dyn({0}), dyn({1})]) == ''",
    "'%d %e'.format([dyn({0}), dyn({1})]) == ''",
    "dyn({0}).isGreaterThan(dyn({1}))",
    "dyn({0}).includes(dyn({1}))",
    "dyn({0}).all(x, dyn({1}))",
    "dyn({0}).transformMapEntry(k, v, dyn({1})) == {{}}",
    "dyn({0}).matches(dyn({1}))",
    "string(dyn({0})) == string(dyn({1}))",
    "int(dyn({0})) == int(dyn({1}))",
    "optional.ofNonZeroValue(dyn({0})).or(dyn({1})).hasValue()",
    "type(dyn({0})) == type({1})",
    "dyn({0}).?a.orValue({1}) == 1",
    "dyn({0}) ? dyn({1}) : true",
    "!dyn({0}) || -dyn({1}) == 1",
)

CALLS = (
    "matches(attr.part)",
    "find(attr.part)",
    "findAll(attr.part)",
    "split(attr.part)",
    "indexOf(attr.part)",
    "lastIndexOf(attr.part)",
    "replace(attr.part, attr.it)",
    "format([attr.part])",
    "trim()",
    "lowerAscii()",
)
PARSERS = ("quantity", "semver", "url", "ip", "cidr", "int", "double", "bool", "duration", "timestamp")


def answered(expression: str) -> None:
    compiled = compile_selector(expression)
    if isinstance(compiled, CompileFault):
        assert compiled.line >= 1
        assert compiled.column >= 1
        return
    assert isinstance(compiled, Program)
    answer = compiled.matches(GPU, DRIVER)
    assert isinstance(answer, bool | EvaluationFault)
    if isinstance(answer, bool):
        assert (compiled.false_part(GPU, DRIVER) == "") is answer
    assert isinstance(compiled.cost(GPU, DRIVER), int | EvaluationFault)


@settings(deadline=None)
@given(st.text())
def test_any_text_is_a_program_or_a_fault(text: str) -> None:
    answered(text)


@settings(deadline=None)
@given(st.lists(st.sampled_from(WORDS)))
def test_any_heap_of_words_is_a_program_or_a_fault(words: list[str]) -> None:
    answered(written_out(" ".join(words)))


@settings(deadline=None)
@given(st.sampled_from(SHAPES), st.sampled_from(OPERANDS), st.sampled_from(OPERANDS))
def test_any_value_anywhere_is_an_answer_or_a_fault(shape: str, one: str, other: str) -> None:
    answered(written_out(shape.format(one, other)))


@settings(deadline=None)
@given(st.text(max_size=80), st.text(max_size=20))
def test_any_text_a_driver_publishes_is_safe_for_every_function(text: str, part: str) -> None:
    device = Device(
        name=DeviceName("gpu-0"),
        attributes={"it": DeviceAttribute(string=text), "part": DeviceAttribute(string=part)},
    )
    for call in CALLS:
        compiled = compile_selector(written_out(f"attr.it.{call} == dyn(attr.part)"))
        assert isinstance(compiled, Program)
        assert isinstance(compiled.matches(device, DRIVER), bool | EvaluationFault)
    for function in PARSERS:
        compiled = compile_selector(written_out(f"{function}(attr.it) == dyn(attr.part)"))
        assert isinstance(compiled, Program)
        assert isinstance(compiled.matches(device, DRIVER), bool | EvaluationFault)
