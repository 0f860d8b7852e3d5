"""What an expression may cost: the estimate the API server admits it by, and the budget that stops it."""

from __future__ import annotations

import pytest

from slicewire.allocator.core.cel import EvaluationFault
from slicewire.common.model import Device, DeviceAttribute, DeviceName
from tests.unit.allocator.cel.asking import DRIVER, GPU, ask, program

OVER_BUDGET = "operation cancelled: actual cost limit exceeded"


@pytest.mark.parametrize(
    ("expression", "worst", "actual"),
    [
        ("true", 0, 0),
        ("device.driver == ''", 2, 2),
        ("attr.index > 0", 5, 5),
        ("attr.productName == 'NVIDIA H100'", 6, 6),
        ("cap.memory.isGreaterThan(quantity('1Gi'))", 6, 6),
        ("attr.productName.matches('^NVIDIA')", 18, 8),
        ("attr.index == 0 && attr.healthy", 9, 5),
        ("attr.healthy || attr.index == 0", 9, 4),
        ("attr.healthy ? true : attr.index == 0", 9, 4),
        ("'index' in device.attributes['gpu.nvidia.com']", 4, 4),
        ("cel.bind(a, device.attributes['gpu.nvidia.com'], a.index == 3)", 16, 6),
        ("cel.bind(a, device.attributes['gpu.nvidia.com'], true)", 13, 0),
        ("[1, 2, 3].all(x, x > 0)", 26, 16),
        ("[1, 2, 3].exists(x, x == 1)", 29, 10),
        ("[1, 2, 3].map(x, x + 1).size() == 3", 65, 45),
        ("[1, 2, 3].filter(x, x > 1).size() == 2", 68, 36),
        ("[1, 2].exists_one(x, x == 1)", 20, 9),
        ("{'a': 1}.transformMap(k, v, v).size() == 1", 67, 7),
        ("optional.of(1).optMap(x, x + 1).orValue(0) == 2", 19, 8),
        ("attr.cores.exists(c, c == 3)", 389, 14),
        ("[3, 1, 2].sort() == [1, 2, 3]", 50, 30),
        ("lists.range(4).size() == 4", 17, 17),
        ("sets.contains([1, 2], [1])", 23, 3),
        ("'a,b'.split(',').size() == 2", 3, 3),
        ("'abc'.replace('b', 'xx') == 'axxc'", 2, 2),
    ],
)
def test_estimated_and_actual_cost(expression: str, worst: int, actual: int) -> None:
    compiled = program(expression)
    assert (compiled.max_cost, compiled.cost(GPU, DRIVER)) == (worst, actual)


def test_an_unbounded_size_makes_an_unbounded_estimate() -> None:
    assert program("cap.memory != quantity('1')").max_cost > 10**18


def test_an_evaluation_stops_when_its_budget_is_spent() -> None:
    compiled = program("[1, 2, 3].all(x, x > 0)")
    assert compiled.matches(GPU, DRIVER, cost_limit=16) is True
    assert compiled.matches(GPU, DRIVER, cost_limit=15) == EvaluationFault(OVER_BUDGET)


def test_a_spent_budget_is_not_absorbed() -> None:
    compiled = program("[1, 2, 3].all(x, x > 0) || true")
    assert compiled.matches(GPU, DRIVER, cost_limit=5) == EvaluationFault(OVER_BUDGET)


def test_a_device_beyond_the_limits_of_the_api_is_metered() -> None:
    """Its estimate rests on values of at most 64 characters: a driver that sends more cannot make it lie."""
    compiled = program("attr.it.matches('x+')")
    large = Device(name=DeviceName("gpu-0"), attributes={"it": DeviceAttribute(string="y" * 40_000_000)})
    assert compiled.max_cost < 100
    assert compiled.matches(large, DRIVER) == EvaluationFault(OVER_BUDGET)


LARGE_TEXT = "lists.range(9000).map(x, 'aaaaaaaaaa').join()"


def doubled(start: str, step: str, last: str) -> str:
    """`x` made anew from itself forty times over."""
    expression = last
    for _ in range(40):
        expression = f"cel.bind(x, {step}, {expression})"
    return f"cel.bind(x, {start}, {expression})"


@pytest.mark.parametrize(
    "expression",
    [
        "lists.range(1000).all(a, lists.range(1000).all(b, lists.range(1000).all(c, true)))",
        "lists.range(1000000).size() > 0 && lists.range(1000000000).size() > 0",
        "lists.range(60000).distinct().size() > 0",
        "lists.range(60000).sort().size() > 0",
        doubled("'abcdefgh'", "x + x", "x == ''"),
        doubled("[1]", "x + x", "x == []"),
        doubled("[1]", "[dyn(x), dyn(x)]", "x == x"),
        doubled("{1: 1}", "{1: dyn(x), 2: dyn(x)}", "x == x"),
        doubled("[1]", "[dyn(x), dyn(x)]", "'%s'.format([dyn(x)]) == ''"),
        doubled("[1]", "[dyn(x), dyn(x)]", "dyn(x).flatten(99) == []"),
        f"cel.bind(s, {LARGE_TEXT}, lists.range(9000).map(x, s).join() == '')",
        f"cel.bind(s, {LARGE_TEXT}, s.replace('a', s) == '')",
        f"cel.bind(s, {LARGE_TEXT}, lists.range(90).all(x, s.contains(s + 'b')))",
        "cel.bind(s, lists.range(60000), lists.range(60000).all(x, (s + s).size() > 0))",
        "cel.bind(s, lists.range(900), lists.range(90).all(x, sets.equivalent(s, s)))",
    ],
)
def test_nothing_runs_away_in_time_or_memory(expression: str) -> None:
    answer = ask(expression)
    assert answer == OVER_BUDGET or "elements or characters, more than 4194304" in str(answer)
