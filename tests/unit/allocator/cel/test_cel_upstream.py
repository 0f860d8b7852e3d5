"""Kubernetes' own table of selectors, with what Kubernetes answered, and what each may cost.

The table is not part of this repository; where it is not found beside the checkout, these tests skip.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from slicewire.allocator.core.cel import CompileFault, Environment, EvaluationFault, Program, compile_selector
from slicewire.common.model import Device
from slicewire.common.model.wire import convert

TABLE = Path(__file__).parents[5] / "shared" / "dra-cases" / "cel.json"
CASES: list[dict[str, Any]] = json.loads(TABLE.read_text()) if TABLE.exists() else []

pytestmark = pytest.mark.skipif(not CASES, reason=f"the table of upstream selectors is not at {TABLE}")

PRICED_BY_SIZE = {"in-operator-on-list"}
"""Kubernetes charges 1 for `in` on a list it only meets at run time, however long; here its length counts."""


def compiled(case: dict[str, Any]) -> Program | CompileFault:
    environment = Environment(
        consumable_capacity=case["enableConsumableCapacity"],
        list_attributes=case["enableListTypeAttributes"],
        stored=case["envType"] == "stored",
    )
    return compile_selector(case["expression"], environment)


def device_of(case: dict[str, Any]) -> Device:
    fields = ("attributes", "capacity", "allowMultipleAllocations")
    given = {name: case["device"][name] for name in fields if case["device"].get(name) is not None}
    return convert({"name": "device", **given}, Device)


def named(case: dict[str, Any]) -> str:
    return f"{case['name']}-{case['envType']}"


COMPILING = [case for case in CASES if case["expectCompileError"] is None]


@pytest.mark.parametrize("case", [case for case in CASES if case not in COMPILING], ids=named)
def test_what_kubernetes_refuses_to_compile_is_refused(case: dict[str, Any]) -> None:
    fault = compiled(case)
    assert isinstance(fault, CompileFault)
    assert case["expectCompileError"] in fault.message


@pytest.mark.parametrize("case", COMPILING, ids=named)
def test_every_selector_answers_and_costs_as_in_kubernetes(case: dict[str, Any]) -> None:
    program = compiled(case)
    assert isinstance(program, Program)
    answer = program.matches(device_of(case), case["device"]["driver"], case["costLimit"])
    assert program.max_cost == case["expectMaxCost"]
    if case["expectMatchError"] is None:
        assert answer is case["expectMatch"]
        cost = program.cost(device_of(case), case["device"]["driver"])
        assert cost == case["actual"]["actualCost"] or case["name"] in PRICED_BY_SIZE
    else:
        assert isinstance(answer, EvaluationFault)
        assert case["expectMatchError"] in answer.message
