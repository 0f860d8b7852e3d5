"""The values of CEL as Python holds them, and what holds for all of them: kind, size, equality, map keys.

int, double, string, bytes, bool and null are Python's own; a list is a tuple, a map is a dict whose keys went
through `key_of`. A bool is never equal to a number here, and numbers compare by value across their types.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from enum import Enum
from typing import Any

import msgspec

from slicewire.allocator.core.cel.faults import BudgetSpent, Failed
from slicewire.common.model import Quantity, Semver

INT_MIN, INT_MAX, UINT_MAX = -(2**63), 2**63 - 1, 2**64 - 1
DEEPEST_VALUE = 64

Frame = list[Any]
"""One evaluation: the device, the budget that is left, then a slot for each variable."""
DEVICE, BUDGET, FIRST_VARIABLE = 0, 1, 2


def charge(frame: Frame, cost: int) -> None:
    frame[BUDGET] -= cost
    if frame[BUDGET] < 0:
        raise BudgetSpent


class UInt(int):
    """An unsigned number: equal to the int of the same value, of another type."""

    __slots__ = ()


class Optional(msgspec.Struct, frozen=True, eq=False):
    """A value that may be absent: `items` holds it, or nothing."""

    items: tuple[Any, ...] = ()


NONE = Optional()


class TypeName(msgspec.Struct, frozen=True):
    """What `type(x)` gives."""

    name: str


class Timestamp(msgspec.Struct, frozen=True, order=True):
    """Nanoseconds since 1970-01-01T00:00:00Z."""

    nanoseconds: int


class Duration(msgspec.Struct, frozen=True, order=True):
    nanoseconds: int


class BoolKey(Enum):
    """A bool as the key of a map: to Python `True` and `1` would be one key, to CEL they are two."""

    NO = False
    YES = True


class DomainMap(dict[str, Any]):
    """Domains of a device: a domain nobody published in is an empty map, not a missing key."""

    __slots__ = ()

    def __missing__(self, key: str) -> Any:
        return {}


_KINDS: dict[type, str] = {
    bool: "bool",
    int: "int",
    UInt: "uint",
    float: "double",
    str: "string",
    bytes: "bytes",
    type(None): "null_type",
    tuple: "list",
    dict: "map",
    DomainMap: "map",
    Optional: "optional_type",
    TypeName: "type",
    Timestamp: "google.protobuf.Timestamp",
    Duration: "google.protobuf.Duration",
    Quantity: "kubernetes.Quantity",
    Semver: "kubernetes.Semver",
}
NUMBERS = frozenset({int, UInt, float})
_SIZED = frozenset({str, bytes, tuple, dict, DomainMap})


def register(kind: type, name: str) -> None:
    """Make a library's own class a value of CEL; called once, where the class is defined."""
    _KINDS[kind] = name


def kind_of_class(kind: type) -> str:
    return _KINDS[kind]


def kind_of(value: Any) -> str:
    """The name of the value's type, without parameters."""
    return _KINDS[type(value)]


def size_of(value: Any) -> int:
    """The size the price list goes by: 1 for whatever has none."""
    if type(value) in _SIZED:
        return len(value)
    if type(value) is Optional and value.items:
        return size_of(value.items[0])
    return 1


def equals(left: Any, right: Any, frame: Frame, depth: int = 0) -> bool:
    """Equality as CEL means it. Nested lists and maps are paid for: sharing can make them huge."""
    kind = type(left)
    if kind is tuple or kind is dict or kind is DomainMap or kind is Optional:
        return _contents_equal(left, right, frame, depth)
    if kind is type(right):
        return bool(left == right)
    return kind in NUMBERS and type(right) in NUMBERS and bool(left == right)


def _contents_equal(left: Any, right: Any, frame: Frame, depth: int) -> bool:
    if kind_of(left) != kind_of(right):
        return False
    if depth > DEEPEST_VALUE:
        raise Failed(f"values nested deeper than {DEEPEST_VALUE} cannot be compared")
    if type(left) is Optional:
        left, right = left.items, right.items
    if len(left) != len(right):
        return False
    if depth:
        charge(frame, len(left))
    if type(left) is tuple:
        return all(equals(one, other, frame, depth + 1) for one, other in zip(left, right, strict=True))
    return all(key in right and equals(value, right[key], frame, depth + 1) for key, value in left.items())


def contains(items: tuple[Any, ...], wanted: Any, frame: Frame) -> bool:
    return any(equals(item, wanted, frame, 1) for item in items)


def key_of(value: Any) -> Any:
    """How a value looks things up in a map; numbers of equal value are one key."""
    kind = type(value)
    if kind is str or kind is int or kind is UInt:
        return value
    if kind is bool:
        return BoolKey(value)
    if kind is float and math.isfinite(value) and value.is_integer():
        return int(value)
    if kind is float:
        return None
    raise Failed(f"unsupported key type: {kind_of(value)}")


def value_of_key(key: Any) -> Any:
    return key.value if type(key) is BoolKey else key


def keys_of(mapping: dict[Any, Any]) -> Iterator[Any]:
    return map(value_of_key, mapping)


def spelled(key: Any) -> str:
    """A key as it appears in a message."""
    key = value_of_key(key)
    return str(key).lower() if type(key) is bool else str(key)
