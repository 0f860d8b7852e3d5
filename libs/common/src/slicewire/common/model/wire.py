"""How the model becomes JSON and comes back: the one encoder and decoder, and the strict door for users.

Peers are read leniently (a newer one may send fields we do not know); what a person wrote is read
strictly (`strictly`): an unknown field is most often a typo, and is named.
"""

from __future__ import annotations

import types
from collections.abc import Hashable, Iterator, Mapping
from functools import lru_cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import msgspec

from slicewire.common.model.quantity import BadQuantity, Quantity
from slicewire.common.model.struct import Object

T = TypeVar("T")
_OPAQUE = ("parameters", "data", "networkData")


_HEADER = {"apiVersion", "kind"}


class Malformed(ValueError):
    """The text does not decode as what was expected; the message names the field and the value."""


def _read(kind: type, given: object) -> object:
    if kind is Quantity:
        if isinstance(given, bool) or not isinstance(given, str | int):
            raise BadQuantity(f"{given!r} is not a quantity; write it as text, such as 40Gi")
        return Quantity(given)
    raise NotImplementedError(kind)


def _write(value: object) -> object:
    if isinstance(value, Quantity):
        return value.text
    raise NotImplementedError(type(value))


_ENCODER = msgspec.json.Encoder(enc_hook=_write, order="deterministic")


@lru_cache(maxsize=256)
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind, dec_hook=_read)


def encode(value: object) -> bytes:
    """Compact JSON with ordered keys: equal values give equal bytes."""
    return _ENCODER.encode(value)


def decode(data: bytes | str, kind: type[T]) -> T:
    """Leniently: unknown fields are ignored. Raises `Malformed`."""
    try:
        return cast("T", _decoder(cast("Hashable", kind)).decode(data))
    except msgspec.ValidationError:
        return convert(_plain(data), kind)
    except (msgspec.MsgspecError, BadQuantity, RecursionError, UnicodeError) as error:
        raise Malformed(str(error)) from error


def _plain(data: bytes | str) -> object:
    try:
        return msgspec.json.decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise Malformed(str(error)) from error


def to_builtins(value: object) -> Any:
    """Plain dicts, lists and scalars, as JSON would have them."""
    return msgspec.to_builtins(value, enc_hook=_write)


def document(value: Object) -> dict[str, Any]:
    """An API object as the API server and kubectl know it, `apiVersion` and `kind` included."""
    return {"apiVersion": value.API_VERSION, "kind": value.KIND, **to_builtins(value)}


def convert(value: object, kind: type[T]) -> T:
    """From plain dicts and lists, leniently. Raises `Malformed`."""
    try:
        return msgspec.convert(_without_nulls(value), kind, dec_hook=_read)
    except (msgspec.MsgspecError, BadQuantity, RecursionError) as error:
        raise Malformed(str(error)) from error


def _without_nulls(value: object) -> Any:
    """Go writes an empty list without `omitempty` as null (`requests` of a claim): null means absent.

    What belongs to others (opaque parameters, device data) is left exactly as it is.
    """
    if isinstance(value, dict):
        return {k: v if k in _OPAQUE else _without_nulls(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def strictly(value: object, kind: type[T]) -> T:
    """From plain dicts and lists as a person wrote them. Raises `Malformed` for unknown fields too."""
    unknown = next(_unknown_fields(value, kind, "$"), None)
    if unknown is not None:
        raise Malformed(f"Object contains unknown field `{unknown[1]}` - at `{unknown[0]}`")
    return convert(value, kind)


def _unknown_fields(value: object, kind: Any, path: str) -> Iterator[tuple[str, str]]:
    for option in _options(kind):
        if isinstance(option, type) and issubclass(option, msgspec.Struct) and isinstance(value, Mapping):
            fields = {f.encode_name: hints for f, hints in _fields(option)}
            for name, item in value.items():
                if name in _HEADER and name not in fields and path == "$":
                    continue
                if name not in fields:
                    yield path, str(name)
                else:
                    yield from _unknown_fields(item, fields[name], f"{path}.{name}")
        elif get_origin(option) is tuple and isinstance(value, list | tuple):
            for index, item in enumerate(value):
                yield from _unknown_fields(item, get_args(option)[0], f"{path}[{index}]")
        elif get_origin(option) in (dict, Mapping) and isinstance(value, Mapping):
            for name, item in value.items():
                yield from _unknown_fields(item, get_args(option)[1], f"{path}.{name}")


def _options(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


@lru_cache(maxsize=256)
def _fields(struct: type[msgspec.Struct]) -> tuple[tuple[Any, Any], ...]:
    hints = get_type_hints(struct)
    return tuple((field, hints[field.name]) for field in msgspec.structs.fields(struct))
