"""A sample of each kind of fact: a value of its type in which every field has something to say.

For the samples that later versions are held to, and for whoever wants to see what may come. Pure, and made
from the types alone, so that a field that is added is in the sample at once. What is in it is plausible, not
possible: of two fields that exclude each other a sample has both.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from slicewire.common.messages import Fact
from slicewire.common.model import Quantity

F = TypeVar("F", bound=Fact)

_WORDS: Mapping[str, str] = {
    "allocation": "slicewire",
    "allocation_mode": "ExactCount",
    "allocation_timestamp": "2026-11-24T10:15:02Z",
    "creation_timestamp": "2026-11-24T10:15:02Z",
    "decided_by": "kube-scheduler",
    "deletion_timestamp": "2026-11-24T10:15:02Z",
    "device": "gpu-0",
    "driver": "gpu.nvidia.com",
    "effect": "NoSchedule",
    "expression": 'device.attributes["gpu.nvidia.com"].type == "gpu"',
    "node": "node-a",
    "node_name": "node-a",
    "operator": "In",
    "origin": "kube-scheduler",
    "pool": "node-a",
    "source": "FromClaim",
    "time_added": "2026-11-24T10:15:02Z",
    "trace": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "version": "1.2.3",
}
"""Where a field's name says what is in it; others say their own name."""


def sample(kind: type[F]) -> F:
    """A fact of this kind, every field set; the same one each time."""
    made: F = _struct(kind)
    return made


def _struct(kind: type[Any]) -> Any:
    hints = get_type_hints(kind)
    fields = msgspec.structs.fields(kind)
    return kind(**{field.name: _value(hints[field.name], field.name) for field in fields})


def _value(kind: Any, name: str) -> Any:
    kind = getattr(kind, "__supertype__", kind)  # a NewType is a plain value of its own name
    if kind in _PLAIN:
        return _PLAIN[kind](name)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(iter(kind))
    return _compound(kind, name)


def _compound(kind: Any, name: str) -> Any:
    """Of an optional the value, of a list one item, of a mapping one entry."""
    inner = get_args(kind)
    match get_origin(kind):
        case origin if origin in (Union, types.UnionType):
            return _value(next(option for option in inner if option is not types.NoneType), name)
        case origin if origin is tuple:
            return (_value(inner[0], name.removesuffix("s")),)
        case origin if origin in (dict, Mapping):
            return {_value(inner[0], "key"): _value(inner[1], name)}
        case _:
            raise NotImplementedError(f"no sample of field {name}: {kind}")


def _word(name: str) -> str:
    return _WORDS.get(name) or name.replace("_", "-")


_PLAIN: Mapping[Any, Callable[[str], Any]] = {
    str: _word,
    int: lambda _: 7,
    bool: lambda _: True,
    Quantity: lambda _: Quantity("80Gi"),
    Any: lambda name: {"what": _word(name)},
}
