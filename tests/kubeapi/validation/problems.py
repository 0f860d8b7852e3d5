"""What is wrong with one field, in the words and reason codes of the real API server."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from tests.kubeapi.statuses import Cause

Problems = Iterator[Cause]


def required(field: str, why: str = "") -> Cause:
    return Cause("FieldValueRequired", f"Required value{': ' + why if why else ''}", field)


def invalid(field: str, value: object, why: str) -> Cause:
    return Cause("FieldValueInvalid", f"Invalid value: {json.dumps(value)}: {why}", field)


def forbidden(field: str, why: str) -> Cause:
    return Cause("FieldValueForbidden", f"Forbidden: {why}", field)


def duplicate(field: str, value: object) -> Cause:
    return Cause("FieldValueDuplicate", f"Duplicate value: {json.dumps(value)}", field)


def unsupported(field: str, value: object, supported: Iterable[str]) -> Cause:
    offered = ", ".join(json.dumps(each) for each in sorted(supported))
    message = f"Unsupported value: {json.dumps(value)}: supported values: {offered}"
    return Cause("FieldValueNotSupported", message, field)


def too_many(field: str, count: int, most: int) -> Cause:
    return Cause("FieldValueTooMany", f"Too many: {count}: must have at most {most} items", field)


def too_long(field: str, most: int) -> Cause:
    return Cause("FieldValueTooLong", f"Too long: may not be more than {most} bytes", field)


def immutable(old: object, new: object, field: str) -> Problems:
    if old != new:
        yield invalid(field, new, "field is immutable")


def at_most(items: Sequence[object], most: int, field: str) -> Problems:
    if len(items) > most:
        yield too_many(field, len(items), most)


def unique(values: Iterable[object], fields: Iterable[str]) -> Problems:
    """Each value that came before; `fields` says where each of them stands."""
    seen = set()
    for value, field in zip(values, fields, strict=True):
        if value in seen:
            yield duplicate(field, value)
        seen.add(value)


def unique_names(
    items: Sequence[object], field: str, key: str = "name", *, told_at_key: bool = False
) -> Problems:
    """No two entries of a list share a key, as far as they have one.

    Of most kinds the entry is told as wrong, of pods its name (`told_at_key`).
    """
    named = [
        (each[key], f"{field}[{index}]" + (f".{key}" if told_at_key else ""))
        for index, each in enumerate(items)
        if isinstance(each, dict) and each.get(key)
    ]
    yield from unique([name for name, _ in named], [where for _, where in named])


def one_of(value: object, supported: frozenset[str], field: str) -> Problems:
    if not value:
        yield required(field)
    elif value not in supported:
        yield unsupported(field, value, supported)


def unknown(field: str, value: object) -> Cause:
    return Cause("FieldValueNotFound", f"Not found: {json.dumps(value)}", field)
