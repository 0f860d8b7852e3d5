"""What an expression can read, and which part of it is false: for callers that cache and explain."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slicewire.common.model import DeviceAttribute
from tests.unit.allocator.cel.asking import DRIVER, GPU, program

OWN = "gpu.nvidia.com"
OTHER = "resource.kubernetes.io"


@pytest.mark.parametrize(
    ("expression", "reads"),
    [
        ("true", set()),
        ("device.driver == ''", {("driver", "", "")}),
        ("device.allowMultipleAllocations", {("allowMultipleAllocations", "", "")}),
        ("attr.index == 3", {("attributes", OWN, "index")}),
        (f'device.attributes["{OTHER}"]["pcieRoot"] == ""', {("attributes", OTHER, "pcieRoot")}),
        ("cap.memory == quantity('1')", {("capacity", OWN, "memory")}),
        ("has(attr.index) && attr.?x.hasValue()", {("attributes", OWN, "index"), ("attributes", OWN, "x")}),
        (f'"index" in device.attributes["{OWN}"]', {("attributes", OWN, "index")}),
        (f'device.attributes["{OWN}"][?"index"].hasValue()', {("attributes", OWN, "index")}),
        (f'device.attributes[?"{OWN}"].index.hasValue()', {("attributes", OWN, "index")}),
        (
            f'cel.bind(a, device.attributes["{OWN}"], a.index == 3 && [1].all(x, a.cores.includes(x)))',
            {("attributes", OWN, "index"), ("attributes", OWN, "cores")},
        ),
        ("[1].all(device, device == 1)", set()),
        ("sets.contains([1], [attr.index])", {("attributes", OWN, "index")}),
    ],
)
def test_the_reads_of_an_expression_are_named(expression: str, reads: set[tuple[str, str, str]]) -> None:
    assert program(expression).reads == frozenset(reads)


@pytest.mark.parametrize(
    "expression",
    [
        f'"{OWN}" in device.attributes',
        "device.attributes.all(d, true)",
        f'device.attributes["{OWN}"].size() == 1',
        f'device.attributes["{OWN}"].all(k, true)',
        f'device.attributes["{OWN}"][device.driver] == 1',
        "device.attributes[device.driver].x == 1",
        f'cel.bind(a, device.attributes["{OWN}"], a == {{}})',
        f'cel.bind(a, device.attributes["{OWN}"], [a].size() == 1)',
        "cel.bind(d, device, d.driver == '')",
        "dyn(device).driver == ''",
        f'device.attributes[?"{OWN}"].optMap(a, a.index).hasValue()',
    ],
)
def test_reads_that_cannot_be_listed_are_unknown(expression: str) -> None:
    assert program(expression).reads is None


READING = (
    "attr.index == 3",
    "has(attr.extra)",
    f'"extra" in device.attributes["{OWN}"] || attr.healthy',
    "attr.?extra.orValue(3) == 3",
    f'cel.bind(a, device.attributes["{OWN}"], a.?extra.hasValue() && a.index > 0)',
    f'device.attributes["{OTHER}"].?pcieRoot.hasValue() && attr.healthy',
    "[1, 2, 3].exists(x, attr.cores.includes(x)) ? attr.healthy : has(attr.productName)",
    "attr.productName.startsWith('NVIDIA') && attr.extra == 1",
)


@settings(deadline=None)
@given(st.sampled_from(READING), st.sampled_from([*GPU.attributes, "extra"]), st.booleans())
def test_what_is_not_among_the_reads_cannot_change_the_answer(
    expression: str, name: str, removed: bool
) -> None:
    compiled = program(expression)
    domain, _, identifier = name.rpartition("/")
    assert compiled.reads is not None
    if ("attributes", domain or OWN, identifier) in compiled.reads:
        return
    others = {key: value for key, value in GPU.attributes.items() if key != name}
    changed = others if removed else {**others, name: DeviceAttribute(int_value=99)}
    other_device = msgspec.structs.replace(GPU, attributes=changed)
    assert compiled.matches(other_device, DRIVER) == compiled.matches(GPU, DRIVER)


@pytest.mark.parametrize(
    ("expression", "part"),
    [
        ("attr.index == 3", ""),
        ("attr.index == 4", f'device.attributes["{OWN}"].index == 4'),
        (
            "attr.healthy && (attr.index == 3 && attr.cores.size() == 1)",
            f'device.attributes["{OWN}"].cores.size() == 1',
        ),
        ("attr.healthy && !(attr.index == 3)", f'!(device.attributes["{OWN}"].index == 3'),
        (
            "attr.healthy && (attr.index == 1 || attr.index == 2)",
            f'(device.attributes["{OWN}"].index == 1 || ',
        ),
        ("attr.nope == 1 && attr.index == 4", f'device.attributes["{OWN}"].index == 4'),
        ("attr.nope == 1", ""),
        ("cel.bind(i, attr.index, i == 4)", "cel.bind("),
    ],
)
def test_the_part_that_is_false_is_quoted(expression: str, part: str) -> None:
    found = program(expression).false_part(GPU, DRIVER)
    assert found.startswith(part)
    assert bool(found) is bool(part)
