"""The types of a comprehension's variables, by what it ranges over."""

from __future__ import annotations

from slicewire.allocator.core.cel.faults import Rejected
from slicewire.allocator.core.cel.syntax import Fold
from slicewire.allocator.core.cel.types import DYN, INT, Type, Unifier


def variable_types(unifier: Unifier, node: Fold, source: Type) -> tuple[Type, ...]:
    pair = len(node.variables) == 2
    match source.name:
        case "list":
            return (INT, source.parameters[0]) if pair else source.parameters
        case "map":
            return source.parameters if pair else source.parameters[:1]
        case "dyn" | "error":
            return (DYN,) * len(node.variables)
    if not source.is_variable:
        raise Rejected(
            f"expression of type '{source}' cannot be range of a comprehension"
            " (must be list, map, or dynamic)",
            node.source.at,
        )
    unifier.accepts((DYN,), (source,))
    return (DYN,) * len(node.variables)
