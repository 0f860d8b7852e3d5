"""Fields and keys: `a.b`, `a.?b`, `has(a.b)`, and the short way to what a device publishes."""

from __future__ import annotations

from typing import Any

from slicewire.allocator.core.cel.faults import Failed, no_such_overload
from slicewire.allocator.core.cel.run import Run
from slicewire.allocator.core.cel.syntax import Call, Ident, Literal, Node, Published, Select
from slicewire.allocator.core.cel.values import DEVICE, NONE, DomainMap, Frame, Optional, kind_of

FIELD_STEPS = 2
"""`device`, `.driver`."""
DOMAIN_STEPS = 3
"""`device`, `.attributes`, `["domain"]`."""
PUBLISHED_STEPS = DOMAIN_STEPS + 1
"""The same, and `.id`."""


def device(frame: Frame) -> Any:
    return frame[DEVICE].fields


def _driver(frame: Frame) -> Any:
    return frame[DEVICE].driver


def _allow_multiple_allocations(frame: Frame) -> Any:
    return frame[DEVICE].allow_multiple_allocations


_SCALARS = {"driver": _driver, "allowMultipleAllocations": _allow_multiple_allocations}


def device_scalar(node: Node) -> Run | None:
    """The short way to `device.driver` and `device.allowMultipleAllocations`."""
    match node:
        case Select(operand=Ident(name="device"), field=field, optional=False, test=False):
            return _SCALARS.get(field)
    return None


def published_name(node: Node) -> tuple[str, str, str] | None:
    """(kind, domain, id) of `device.attributes["domain"].id` and `device.capacity["domain"]["id"]`."""
    container, identifier = _selected(node) if isinstance(node, Select) else _indexed(node)
    domain = published_domain(container) if container else None
    return (*domain, identifier) if domain and identifier is not None else None


def _selected(node: Select) -> tuple[Node | None, str | None]:
    """The container and the key of `container.key`."""
    return (None, None) if node.optional or node.test else (node.operand, node.field)


def published_domain(node: Node) -> tuple[str, str] | None:
    """(kind, domain) if the node is one domain, in whatever way that is written."""
    if isinstance(node, Published):
        return node.kind, node.domain
    container, domain = _indexed(node)
    kind = published_kind(container) if container else None
    return (kind, domain) if kind and domain is not None else None


def _indexed(node: Node) -> tuple[Node | None, str | None]:
    """The container and the key of `container["key"]`."""
    if isinstance(node, Call) and node.function == "_[_]":
        container, index = node.arguments
        if isinstance(index, Literal) and isinstance(index.value, str):
            return container, index.value
    return None, None


def published_kind(node: Node) -> str | None:
    """`attributes` or `capacity` if the node is that field of the device."""
    match node:
        case Select(
            operand=Ident(name="device"), field="attributes" | "capacity" as kind, optional=False, test=False
        ):
            return kind
    return None


def domain(node: Published) -> Run:
    kind, name = node.kind, node.domain
    return lambda frame: frame[DEVICE].fields[kind][name]


def published(kind: str, domain: str, identifier: str) -> Run:
    if "/" in identifier:
        return selected(lambda frame: frame[DEVICE].fields[kind][domain], identifier)
    name = f"{domain}/{identifier}"
    return _attribute(name, identifier) if kind == "attributes" else _capacity(name, identifier)


def _attribute(name: str, identifier: str) -> Run:
    def run(frame: Frame) -> Any:
        try:
            return frame[DEVICE].attributes[name]
        except KeyError:
            raise _no_such_key(identifier) from None

    return run


def _capacity(name: str, identifier: str) -> Run:
    def run(frame: Frame) -> Any:
        try:
            return frame[DEVICE].capacity[name]
        except KeyError:
            raise _no_such_key(identifier) from None

    return run


def _no_such_key(field: str) -> Failed:
    return Failed(f"no such key: {field}")


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
        raise _no_such_key(field) from None


def _maybe_at(value: Any, field: str) -> Optional:
    if type(value) is Optional:
        return _maybe_at(value.items[0], field) if value.items else NONE
    if not isinstance(value, dict):
        raise no_such_overload(f"select .?{field}", kind_of(value))
    try:
        return Optional((value[field],))
    except KeyError:
        return NONE
