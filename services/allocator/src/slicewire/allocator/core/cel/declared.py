"""The names an expression may use: the device with its fields, and the types by name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from slicewire.allocator.core.cel import types
from slicewire.allocator.core.cel.environment import Environment
from slicewire.allocator.core.cel.syntax import Ident, Node, Select
from slicewire.allocator.core.cel.types import Type

TYPE_NAMES = {
    "bool": types.BOOL,
    "int": types.INT,
    "uint": types.UINT,
    "double": types.DOUBLE,
    "string": types.STRING,
    "bytes": types.BYTES,
    "null_type": types.NULL,
    "dyn": types.DYN,
    "type": types.TYPE,
    "list": types.list_of(types.DYN),
    "map": types.map_of(types.DYN, types.DYN),
    "optional_type": types.optional_of(types.DYN),
    "google.protobuf.Timestamp": types.TIMESTAMP,
    "google.protobuf.Duration": types.DURATION,
    "net.IP": types.IP,
    "net.CIDR": types.CIDR,
}


def attribute_type(environment: Environment) -> Type:
    """An attribute is of any type; only where it may be a list can it be iterated over."""
    return types.DYN if environment.knows_list_attributes else types.ANY


@cache
def device_fields(environment: Environment) -> Mapping[str, Type]:
    ids = types.map_of(types.STRING, attribute_type(environment))
    fields = {
        "driver": types.STRING,
        "attributes": types.map_of(types.STRING, ids),
        "capacity": types.map_of(types.STRING, types.map_of(types.STRING, types.QUANTITY)),
    }
    if environment.knows_multiple_allocations:
        fields["allowMultipleAllocations"] = types.BOOL
    return fields


def dotted_name(node: Node) -> str | None:
    """`a.b.c` if that is all there is to the node."""
    parts = []
    while isinstance(node, Select) and not node.optional and not node.test:
        parts.append(node.field)
        node = node.operand
    if not isinstance(node, Ident):
        return None
    return ".".join((node.name, *reversed(parts)))
