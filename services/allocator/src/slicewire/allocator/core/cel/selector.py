"""From the text of a selector to a program, or to the reason why there is none."""

from __future__ import annotations

from functools import lru_cache

from slicewire.allocator.core.cel.check import check
from slicewire.allocator.core.cel.environment import Environment
from slicewire.allocator.core.cel.faults import CompileFault, Rejected
from slicewire.allocator.core.cel.parser import parse
from slicewire.allocator.core.cel.program import Program
from slicewire.allocator.core.cel.written import check_written

LONGEST_EXPRESSION = 10 * 1024
"""resource.k8s.io CELSelectorExpressionMaxLength, in bytes."""

_EVERYTHING = Environment()


@lru_cache(maxsize=1024)
def compile_selector(expression: str, environment: Environment = _EVERYTHING) -> Program | CompileFault:
    """The program of an expression that gives a bool for a device. The same text is compiled once."""
    try:
        _check_text(expression)
        tree = parse(expression)
        checked = check(tree, environment)
        check_written(tree, checked.types)
        return Program(expression, tree, checked)
    except Rejected as rejected:
        return rejected.located(expression)


@lru_cache(maxsize=256)
def compile_derivation(expression: str, environment: Environment = _EVERYTHING) -> Program | CompileFault:
    """The program of an expression that gives any value for a device: ask it with `value`."""
    try:
        _check_text(expression)
        tree = parse(expression)
        checked = check(tree, environment, any_output=True)
        check_written(tree, checked.types)
        return Program(expression, tree, checked)
    except Rejected as rejected:
        return rejected.located(expression)


def _check_text(expression: str) -> None:
    try:
        size = len(expression.encode())
    except UnicodeEncodeError as error:
        raise Rejected("Syntax error: not valid Unicode text", error.start) from None
    if size > LONGEST_EXPRESSION:
        raise Rejected(f"the expression is longer than {LONGEST_EXPRESSION} bytes", 0)
