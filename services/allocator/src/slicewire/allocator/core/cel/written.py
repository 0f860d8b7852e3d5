"""Faults in what is written out, found without a device: patterns, durations, timestamps, formats."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from slicewire.allocator.core.cel.faults import Failed, Rejected
from slicewire.allocator.core.cel.functions.clauses import format_fault
from slicewire.allocator.core.cel.functions.regex import pattern_fault
from slicewire.allocator.core.cel.functions.times import parsed_duration, parsed_timestamp
from slicewire.allocator.core.cel.syntax import Call, ListLiteral, Literal, Node
from slicewire.allocator.core.cel.types import Type


def check_written(calls: Iterable[Call], types: Mapping[Node, Type]) -> None:
    """Refuse what can never be read."""
    for call in calls:
        if call.function in _ARGUMENTS:
            _check_argument(call)
        elif call.function == "format":
            _check_format(call, types)


def _check_argument(call: Call) -> None:
    position, find_fault = _ARGUMENTS[call.function]
    argument = call.operands[position] if position < len(call.operands) else None
    if isinstance(argument, Literal) and isinstance(argument.value, str):
        fault = find_fault(argument.value)
        if fault is not None:
            raise Rejected(f"invalid {call.function} argument: {fault}", argument.at)


def _check_format(call: Call, types: Mapping[Node, Type]) -> None:
    match call.operands:
        case (Literal(value=str() as pattern), ListLiteral() as arguments) if not arguments.optional:
            fault = format_fault(pattern, tuple(types[item].name for item in arguments.items))
            if fault is not None:
                raise Rejected(fault, call.at)


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
