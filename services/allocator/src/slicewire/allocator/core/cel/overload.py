"""A function as the engine knows it: signature, price, and what it does.

A signature is written as CEL writes a call: `"string.charAt(int) -> string"` for a member,
`"lists.range(int) -> list(int)"` for a function. A single capital is a type variable.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from slicewire.allocator.core.cel import types
from slicewire.allocator.core.cel.cost.prices import NOMINAL, Price
from slicewire.allocator.core.cel.types import Type

_NAMES = {
    "bool": types.BOOL, "int": types.INT, "uint": types.UINT, "double": types.DOUBLE,
    "string": types.STRING, "bytes": types.BYTES, "null": types.NULL, "dyn": types.DYN,
    "timestamp": types.TIMESTAMP, "duration": types.DURATION,
    "Quantity": types.QUANTITY, "Semver": types.SEMVER, "Url": types.URL, "Format": types.FORMAT,
    "Ip": types.IP, "Cidr": types.CIDR,
}  # fmt: skip
_PARAMETRISED = {"list": "list", "map": "map", "optional": "optional_type", "type": "type"}
_SIGNATURE = re.compile(
    r"(?:(?P<receiver>[A-Za-z]+(?:\(.*?\)+)?)\.)?(?P<name>[^().\s]+(?:\.[^().\s]+)?)"
    r"\((?P<given>.*)\) -> (?P<result>.+)"
)
_KIND_NAMES = {
    "timestamp": "google.protobuf.Timestamp",
    "duration": "google.protobuf.Duration",
    "null": "null_type",
}


class Overload(msgspec.Struct, frozen=True, eq=False):
    """One signature of a function. `run` takes the values; with `pays`, the frame before them.

    `pays`: the price list does not bound the work, so the function charges the rest itself.
    """

    function: str
    member: bool
    parameters: tuple[Type, ...]
    result: Type
    run: Callable[..., Any]
    price: Price
    pays: bool
    generic: bool

    def fits(self, kinds: tuple[str, ...]) -> bool:
        """Whether values of these kinds may be given."""
        return len(kinds) == len(self.parameters) and all(
            parameter.is_variable or parameter == types.DYN or runtime_kind(parameter) == kind
            for parameter, kind in zip(self.parameters, kinds, strict=True)
        )


def runtime_kind(kind: Type) -> str:
    return _KIND_NAMES.get(kind.name, kind.name)


def overload(
    signature: str, run: Callable[..., Any], price: Price = NOMINAL, *, pays: bool = False
) -> Overload:
    """Read a signature; its author is this engine, so one that cannot be read is a bug."""
    member, name, given, result = _read(signature)
    generic = any(kind.is_open for kind in (result, *given))
    return Overload(name, member, given, result, run, price, pays, generic)


def _read(signature: str) -> tuple[bool, str, tuple[Type, ...], Type]:
    match = _SIGNATURE.fullmatch(signature)
    assert match is not None, signature
    receiver, name = match["receiver"], match["name"]
    given = tuple(_type(part) for part in _split(match["given"]))
    if receiver is None:
        return False, name, given, _type(match["result"])
    if receiver in _NAMES or "(" in receiver:
        return True, name, (_type(receiver), *given), _type(match["result"])
    return False, f"{receiver}.{name}", given, _type(match["result"])


def _type(text: str) -> Type:
    name, _, inner = text.strip().partition("(")
    if inner:
        return types.parametrised(_PARAMETRISED[name], *(_type(part) for part in _split(inner[:-1])))
    return _NAMES[name] if len(name) > 1 else types.variable(name)


def _split(text: str) -> list[str]:
    """Split at the commas outside parentheses."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == "," and not depth:
            parts.append(text[start:position])
            start = position + 1
    return [*parts, text[start:]] if text.strip() else []
