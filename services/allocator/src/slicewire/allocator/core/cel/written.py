"""Faults in arguments that are written out, found without a device: patterns, durations, timestamps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slicewire.allocator.core.cel.faults import Failed, Rejected
from slicewire.allocator.core.cel.functions.regex import pattern_fault
from slicewire.allocator.core.cel.functions.times import parsed_duration, parsed_timestamp
from slicewire.allocator.core.cel.syntax import Call, Literal, Node, walk


def check_written(tree: Node) -> None:
    """Refuse what can never be read."""
    for node, _ in walk(tree):
        if isinstance(node, Call) and node.function in _ARGUMENTS:
            position, fault = _ARGUMENTS[node.function]
            operands = node.operands
            argument = operands[position] if position < len(operands) else None
            if isinstance(argument, Literal) and isinstance(argument.value, str):
                _refuse(node.function, fault(argument.value), argument)


def _refuse(function: str, fault: str | None, argument: Literal) -> None:
    if fault is not None:
        raise Rejected(f"invalid {function} argument: {fault}", argument.at)


def _unreadable(parse: Callable[[str], Any]) -> Callable[[str], str | None]:
    def fault(text: str) -> str | None:
        try:
            parse(text)
        except Failed as failed:
            return str(failed)
        return None

    return fault


_ARGUMENTS = {
    "matches": (1, pattern_fault),
    "find": (1, pattern_fault),
    "findAll": (1, pattern_fault),
    "duration": (0, _unreadable(parsed_duration)),
    "timestamp": (0, _unreadable(parsed_timestamp)),
}
