"""The shape of an object: which fields there are, of what type, and how their lists merge.

One description serves five readers: type checks, dropping of unknown fields, canonical quantities,
patches, and field ownership. It does not know what values mean; that is validation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from tests.kubeapi.quantities import NotAQuantity, canonical


class Leaf(Enum):
    """A value without fields of its own. ANY is untyped but granular, RAW is untyped and one whole."""

    TEXT = "a string"
    WHOLE = "a whole number"
    FLAG = "true or false"
    AMOUNT = "a quantity"
    TIME = "an RFC 3339 time"
    ANY = "anything"
    RAW = "any JSON, kept as it is"


@dataclass(frozen=True)
class Record:
    """A struct. `open` ones keep fields not named here; `atomic` ones are owned and merged as one."""

    fields: Mapping[str, Shape]
    open: bool = False
    atomic: bool = False


@dataclass(frozen=True)
class Table:
    """A map from any text to values of one shape."""

    of: Shape


@dataclass(frozen=True)
class Items:
    """A list: atomic, or a map by `keys`, or a set. `merge_key` is the key of strategic merge patches."""

    of: Shape
    keys: tuple[str, ...] = ()
    merge_key: str = ""
    is_set: bool = False


Shape = Leaf | Record | Table | Items
_LARGEST = 2**63


class WrongType(Exception):
    """A value that does not decode into its field."""

    def __init__(self, path: str, value: object, wanted: str) -> None:
        super().__init__(f"{path or 'body'}: {value!r} is not {wanted}")


@dataclass
class Conformed:
    """A value made to fit its shape, and the fields that were dropped because the shape has none such."""

    value: Any = None
    unknown: list[str] = field(default_factory=list)


def conform(value: object, shape: Shape) -> Conformed:
    """What the server keeps of a sent value. Raises `WrongType`."""
    made = Conformed()
    made.value = _fit(value, shape, "", made.unknown)
    return made


def _fit(value: Any, shape: Shape, path: str, unknown: list[str]) -> Any:
    match shape:
        case Record():
            return _fit_record(value, shape, path, unknown)
        case Table(of):
            entries = _of_type(value, dict, path, "an object").items()
            return {key: _fit(each, of, f"{path}[{key}]", unknown) for key, each in entries}
        case Items(of):
            entries = enumerate(_of_type(value, list, path, "a list"))
            return [_fit(each, of, f"{path}[{index}]", unknown) for index, each in entries]
        case Leaf.ANY | Leaf.RAW:
            return value
        case Leaf():
            return _fit_leaf(value, shape, path)


def _fit_record(value: Any, shape: Record, path: str, unknown: list[str]) -> dict[str, Any]:
    """Nulls and empty lists and maps are left out: Go's zero values are not written."""
    made = {}
    for key, each in _of_type(value, dict, path, "an object").items():
        here = f"{path}.{key}" if path else key
        known = shape.fields.get(key, Leaf.ANY if shape.open else None)
        if known is None:
            unknown.append(here)
            continue
        if each is None:
            continue
        fitted = _fit(each, known, here, unknown)
        if fitted or not isinstance(known, Items | Table):
            made[key] = fitted
    return made


def _fit_leaf(value: Any, shape: Leaf, path: str) -> Any:
    match shape:
        case Leaf.TEXT:
            return _of_type(value, str, path, shape.value)
        case Leaf.FLAG:
            return _of_type(value, bool, path, shape.value)
        case Leaf.WHOLE:
            if isinstance(value, bool) or not isinstance(value, int) or not -_LARGEST <= value < _LARGEST:
                raise WrongType(path, value, shape.value)
            return value
        case Leaf.AMOUNT:
            return _fit_amount(value, path)
        case _:
            return _fit_time(value, path)


def _fit_amount(value: Any, path: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise WrongType(path, value, Leaf.AMOUNT.value)
    try:
        return canonical(str(value))
    except NotAQuantity as bad:
        raise WrongType(path, value, Leaf.AMOUNT.value) from bad


def _fit_time(value: Any, path: str) -> str:
    """Whole seconds in UTC, as `metav1.Time` is written."""
    text: str = _of_type(value, str, path, Leaf.TIME.value)
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", text):
        raise WrongType(path, value, Leaf.TIME.value)
    try:
        moment = datetime.fromisoformat(re.sub(r"\.\d+", "", text))
    except ValueError as bad:
        raise WrongType(path, value, Leaf.TIME.value) from bad
    return rfc3339(moment)


def _of_type(value: Any, kind: type, path: str, wanted: str) -> Any:
    if not isinstance(value, kind):
        raise WrongType(path, value, wanted)
    return value


def rfc3339(moment: datetime) -> str:
    """A moment as the API writes it: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
