"""`int() uint() double() string() bytes() bool() type() dyn()`: conversions that hold or are errors."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from slicewire.allocator.core.cel.cost.prices import DECODE, ENCODE, fixed
from slicewire.allocator.core.cel.faults import Failed
from slicewire.allocator.core.cel.functions.arithmetic import int_in_range, uint_in_range
from slicewire.allocator.core.cel.functions.times import duration_text, timestamp_text
from slicewire.allocator.core.cel.overload import overload
from slicewire.allocator.core.cel.values import Duration, Timestamp, TypeName, UInt, kind_of

_WHOLE = re.compile(r"[+-]?[0-9]{1,64}")
_DOUBLE = re.compile(
    r"[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf|infinity|nan)", re.IGNORECASE
)
_BOOLS = dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True) | dict.fromkeys(
    ("0", "f", "F", "FALSE", "false", "False"), False
)
_SECOND = 10**9
_LONGEST_DOUBLE = 1024


def _refused(value: Any, wanted: str) -> Failed:
    return Failed(f"type conversion error from '{kind_of(value)}' to '{wanted}'")


def _whole_text(text: str, wanted: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise _refused(text, wanted)
    return int(text)


def _text_to_int(text: str) -> int:
    return int_in_range(_whole_text(text, "int"))


def _text_to_uint(text: str) -> UInt:
    if text[:1] in {"+", "-"}:
        raise _refused(text, "uint")
    return uint_in_range(_whole_text(text, "uint"))


def _double_to_whole(value: float) -> int:
    if not math.isfinite(value):
        raise Failed("integer overflow")
    return math.trunc(value)


def _double_to_int(value: float) -> int:
    """The largest doubles below 2^63 are refused too: cel-go leaves room for rounding."""
    if not -(2.0**63) < value < 2.0**63:
        raise Failed("integer overflow")
    return math.trunc(value)


def _text_to_double(text: str) -> float:
    if len(text) > _LONGEST_DOUBLE or not _DOUBLE.fullmatch(text):
        raise _refused(text, "double")
    value = float(text)
    if math.isinf(value) and "n" not in text.lower():
        raise _refused(text, "double")
    return value


def _text_to_bool(text: str) -> bool:
    if text not in _BOOLS:
        raise _refused(text, "bool")
    return _BOOLS[text]


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise Failed("invalid UTF-8 in bytes, cannot convert to string") from None


def double_text(value: float) -> str:
    """As Go writes `%g`: the shortest digits, with an exponent below 1e-4 and from 1e21 on."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    if value and not 1e-4 <= abs(value) < 1e21:
        mantissa, _, power = repr(value).partition("e")
        return f"{mantissa.removesuffix('.0')}e{int(power):+03d}"
    return f"{value:.0f}" if value.is_integer() else repr(value)


_TEXTS: dict[type, Callable[[Any], str]] = {
    bool: lambda value: "true" if value else "false",
    int: str,
    UInt: lambda value: str(int(value)),
    float: double_text,
    str: str,
    bytes: _decoded,
    Timestamp: timestamp_text,
    Duration: duration_text,
    TypeName: lambda value: str(value.name),
}


def text_of(value: Any) -> str:
    """string() of a simple value."""
    written = _TEXTS.get(type(value))
    if written is None:
        raise _refused(value, "string")
    return written(value)


def _same(value: Any) -> Any:
    return value


OVERLOADS = (
    overload("dyn(A) -> dyn", _same, fixed(1)),
    overload("type(A) -> type(A)", lambda value: TypeName(kind_of(value))),
    *(
        overload(f"{kind}({kind}) -> {kind}", _same)
        for kind in ("bool", "int", "uint", "double", "string", "bytes", "timestamp", "duration")
    ),
    overload("int(uint) -> int", lambda value: int_in_range(int(value))),
    overload("int(double) -> int", _double_to_int),
    overload("int(string) -> int", _text_to_int),
    overload("int(timestamp) -> int", lambda value: value.nanoseconds // _SECOND),
    overload("int(duration) -> int", lambda value: value.nanoseconds),
    overload("uint(int) -> uint", uint_in_range),
    overload("uint(double) -> uint", lambda value: uint_in_range(_double_to_whole(value))),
    overload("uint(string) -> uint", _text_to_uint),
    overload("double(int) -> double", float),
    overload("double(uint) -> double", float),
    overload("double(string) -> double", _text_to_double),
    overload("bool(string) -> bool", _text_to_bool),
    overload("bytes(string) -> bytes", lambda text: text.encode("utf-8", "replace"), ENCODE),
    overload("string(bytes) -> string", _decoded, DECODE),
    *(
        overload(f"string({kind}) -> string", text_of)
        for kind in ("bool", "int", "uint", "double", "timestamp", "duration")
    ),
)
