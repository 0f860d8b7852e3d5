"""From the text of a selector to a program, or to the reason why there is none."""

from __future__ import annotations

from slicewire.allocator.core.cel.check import check
from slicewire.allocator.core.cel.environment import Environment
from slicewire.allocator.core.cel.faults import CompileFault, Rejected
from slicewire.allocator.core.cel.parser import parse
from slicewire.allocator.core.cel.program import Program
from slicewire.allocator.core.cel.remembered import Remembered
from slicewire.allocator.core.cel.written import check_written

LONGEST_EXPRESSION = 10 * 1024
"""resource.k8s.io CELSelectorExpressionMaxLength, in bytes."""

REMEMBERED_CHARACTERS = 2**18
"""Of selectors: a thousand usual ones."""

_EVERYTHING = Environment()
_SELECTORS: Remembered[tuple[str, Environment], Program | CompileFault] = Remembered(REMEMBERED_CHARACTERS)
_DERIVATIONS: Remembered[tuple[str, Environment], Program | CompileFault] = Remembered(2**16)


def compile_selector(expression: str, environment: Environment = _EVERYTHING) -> Program | CompileFault:
    """The program of an expression that gives a bool for a device. The same text is compiled once."""
    key = (expression, environment)
    known = _SELECTORS.get(key)
    if known is None:
        known = _SELECTORS.keep(key, _compiled(expression, environment), len(expression))
    return known


def compile_derivation(expression: str, environment: Environment = _EVERYTHING) -> Program | CompileFault:
    """The program of an expression that gives any value for a device: ask it with `value`."""
    key = (expression, environment)
    known = _DERIVATIONS.get(key)
    if known is None:
        made = _compiled(expression, environment, any_output=True)
        known = _DERIVATIONS.keep(key, made, len(expression))
    return known


def _compiled(
    expression: str, environment: Environment, *, any_output: bool = False
) -> Program | CompileFault:
    try:
        _check_text(expression)
        tree = parse(expression)
        checked = check(tree, environment, any_output=any_output)
        check_written(checked.overloads, checked.types)
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
