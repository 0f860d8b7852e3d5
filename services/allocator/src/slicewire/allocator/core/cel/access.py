"""Fields and keys: `a.b`, `a.?b`, `has(a.b)`, and the short way to what a device publishes."""

from __future__ import annotations

from typing import Any

from slicewire.allocator.core.cel.faults import Failed, no_such_overload
from slicewire.allocator.core.cel.run import Run
from slicewire.allocator.core.cel.syntax import Call, Ident, Literal, Node, Select
from slicewire.allocator.core.cel.values import DEVICE, NONE, DomainMap, Frame, Optional, kind_of

PUBLISHED_STEPS = 4
"""`device`, `.attributes`, `["domain"]`, `.id`."""


def published_name(node: Node) -> tuple[str, str, str] | None:
    """(kind, domain, id) of `device.attributes["domain"].id` and `device.capacity["domain"]["id"]`."""
    identifier: Any
    if isinstance(node, Select) and not node.optional and not node.test:
        container, identifier = node.operand, node.field
    elif isinstance(node, Call) and node.function == "_[_]":
        container, index = node.arguments
        identifier = index.value if isinstance(index, Literal) else None
    else:
        return None
    domain = published_domain(container)
    return (*domain, identifier) if domain and isinstance(identifier, str) else None


def published_domain(node: Node) -> tuple[str, str] | None:
    """(kind, domain) if the node is `device.attributes["domain"]` or `device.capacity["domain"]`."""
    if not isinstance(node, Call) or node.function != "_[_]":
        return None
    container, index = node.arguments
    if not isinstance(index, Literal) or not isinstance(index.value, str):
        return None
    kind = published_kind(container)
    return (kind, index.value) if kind else None


def published_kind(node: Node) -> str | None:
    """`attributes` or `capacity` if the node is that field of the device."""
    if (
        not isinstance(node, Select)
        or node.optional
        or node.test
        or node.field not in {"attributes", "capacity"}
    ):
        return None
    return node.field if isinstance(node.operand, Ident) and node.operand.name == "device" else None


def published(kind: str, domain: str, identifier: str) -> Run:
    def run(frame: Frame) -> Any:
        try:
            return frame[DEVICE][kind][domain][identifier]
        except KeyError:
            raise Failed(f"no such key: {identifier}") from None

    return run


def selected(operand: Run, field: str) -> Run:
    def run(frame: Frame) -> Any:
        value = operand(frame)
        if isinstance(value, dict):
            return _at(value, field)
        if type(value) is Optional:
            return _maybe_at(value, field)
        raise no_such_overload(f"select .{field}", kind_of(value))

    return run


def maybe_selected(operand: Run, field: str) -> Run:
    return lambda frame: _maybe_at(operand(frame), field)


def tested(operand: Run, field: str) -> Run:
    def run(frame: Frame) -> bool:
        value = operand(frame)
        if type(value) is Optional:
            return bool(_maybe_at(value, field).items)
        if isinstance(value, dict):
            return field in value or type(value) is DomainMap
        raise no_such_overload(f"has(.{field})", kind_of(value))

    return run


def _at(mapping: dict[str, Any], field: str) -> Any:
    try:
        return mapping[field]
    except KeyError:
        raise Failed(f"no such key: {field}") from None


def _maybe_at(value: Any, field: str) -> Optional:
    if type(value) is Optional:
        return _maybe_at(value.items[0], field) if value.items else NONE
    if not isinstance(value, dict):
        raise no_such_overload(f"select .?{field}", kind_of(value))
    try:
        return Optional((value[field],))
    except KeyError:
        return NONE
