"""A selector ready to meet devices."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from slicewire.allocator.core.cel.checked import Checked
from slicewire.allocator.core.cel.compile import Compiler
from slicewire.allocator.core.cel.cost.estimate import estimated_cost
from slicewire.allocator.core.cel.device import SeenDevice, seen
from slicewire.allocator.core.cel.faults import BudgetSpent, EvaluationFault, Failed
from slicewire.allocator.core.cel.reads import Read, reads_of
from slicewire.allocator.core.cel.run import Run
from slicewire.allocator.core.cel.syntax import Logic, Node
from slicewire.allocator.core.cel.values import BUDGET, Frame, kind_of
from slicewire.common.model import Device

COST_LIMIT = 1_000_000
"""resource.k8s.io CELSelectorExpressionMaxCost."""


class Program:
    """One compiled expression. It holds no state of an evaluation, so any number may run at once."""

    def __init__(self, expression: str, tree: Node, checked: Checked) -> None:
        self.expression = expression
        self.max_cost = estimated_cost(tree, checked)
        """The worst case as the API server estimates it."""
        self._tree = tree
        self._checked = checked
        compiler = Compiler(checked, metered=False)
        self._plain = compiler.build(tree)
        self._variables = [None] * (compiler.slots - 2)

    @cached_property
    def reads(self) -> frozenset[Read] | None:
        """All that the answer can depend on as (kind, domain, id), or None if that cannot be told."""
        return reads_of(self._tree)

    @cached_property
    def _metered(self) -> Run:
        return Compiler(self._checked, metered=True).build(self._tree)

    def matches(self, device: Device, driver: str, cost_limit: int = COST_LIMIT) -> bool | EvaluationFault:
        """Whether the device is selected, or why that cannot be said."""
        result = self.value(device, driver, cost_limit)
        if result is True or result is False or type(result) is EvaluationFault:
            return result
        kind = kind_of(result)
        return EvaluationFault(
            f"CEL result of type {kind} could not be converted to bool:"
            f" type conversion error from {kind} to 'bool'"
        )

    def value(self, device: Device, driver: str, cost_limit: int = COST_LIMIT) -> Any:
        """What the expression gives for the device, or an `EvaluationFault`."""
        view = seen(device, driver)
        if view.fault:
            return EvaluationFault(view.fault)
        bounded = view.ordinary and self.max_cost <= cost_limit
        return _outcome(self._plain if bounded else self._metered, self._frame(view, cost_limit))

    def cost(self, device: Device, driver: str) -> int | EvaluationFault:
        """What evaluating it for this device costs, in the units of the limit."""
        view = seen(device, driver)
        if view.fault:
            return EvaluationFault(view.fault)
        frame = self._frame(view, self._unlimited)
        result = _outcome(self._metered, frame)
        return result if type(result) is EvaluationFault else self._unlimited - int(frame[BUDGET])

    _unlimited = 100 * COST_LIMIT

    def false_part(self, device: Device, driver: str) -> str:
        """The text of the innermost operand of the top-level `&&` that is false, or "" if none is."""
        view = seen(device, driver)
        for node in () if view.fault else _conjuncts(self._tree):
            compiler = Compiler(self._checked, metered=True)
            run = compiler.build(node)
            if _outcome(run, self._frame(view, COST_LIMIT)) is False:
                return self.expression[node.start : node.end]
        return ""

    def _frame(self, view: SeenDevice, budget: int) -> Frame:
        return [view, budget, *self._variables]


def _outcome(run: Run, frame: Frame) -> Any:
    try:
        return run(frame)
    except Failed as failed:
        return EvaluationFault(str(failed))
    except BudgetSpent:
        return EvaluationFault("operation cancelled: actual cost limit exceeded")


def _conjuncts(node: Node) -> list[Node]:
    if isinstance(node, Logic) and node.operator == "&&":
        return [part for operand in node.operands for part in _conjuncts(operand)]
    return [node]
