"""Label and field selectors: read from a query, asked of an object. Refuses what it cannot read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.kubeapi.kinds import Kind
from tests.kubeapi.statuses import bad_request

_SPLIT = re.compile(r",(?![^(]*\))")
_SET = re.compile(r"(\S+)\s+(in|notin)\s*\(([^)]*)\)")
_EQUAL = re.compile(r"([^\s=!]+)\s*(==|=|!=)\s*(\S*)")
_EXISTS = re.compile(r"(!?)\s*([^\s=!()]+)")


@dataclass(frozen=True)
class Requirement:
    """`values` is None for a question of mere existence; `wanted` is False for its denial."""

    key: str
    values: frozenset[str] | None
    wanted: bool = True

    def holds(self, found: str | None) -> bool:
        met = found is not None if self.values is None else found in self.values
        return met is self.wanted


@dataclass(frozen=True)
class Selection:
    """Which objects of one kind a list, watch or collection delete is about."""

    kind: Kind
    namespace: str = ""
    labels: tuple[Requirement, ...] = ()
    fields: tuple[Requirement, ...] = ()

    @property
    def is_filtered(self) -> bool:
        return bool(self.labels or self.fields)

    def admits(self, stored: Mapping[str, Any] | None) -> bool:
        if stored is None:
            return False
        metadata = stored["metadata"]
        if self.namespace and metadata.get("namespace") != self.namespace:
            return False
        labels = metadata.get("labels", {})
        return all(each.holds(labels.get(each.key)) for each in self.labels) and all(
            each.holds(field_of(stored, each.key)) for each in self.fields
        )


def field_of(stored: Mapping[str, Any], path: str) -> str:
    """The text of a field; absent is empty, as it is for the real selectors."""
    found: Any = stored
    for key in path.split("."):
        found = found.get(key, "") if isinstance(found, Mapping) else ""
    return str(found).lower() if isinstance(found, bool) else str(found)


def read_labels(text: str) -> tuple[Requirement, ...]:
    return _read(text, _label_requirement)


def read_fields(text: str, kind: Kind) -> tuple[Requirement, ...]:
    return _read(text, lambda part: _field_requirement(part, kind))


def _read(text: str, one: Callable[[str], Requirement]) -> tuple[Requirement, ...]:
    return tuple(one(part.strip()) for part in _SPLIT.split(text)) if text.strip() else ()


def _label_requirement(part: str) -> Requirement:
    if match := _SET.fullmatch(part):
        values = frozenset(value.strip() for value in match[3].split(","))
        return Requirement(match[1], values, match[2] == "in")
    if match := _EQUAL.fullmatch(part):
        return Requirement(match[1], frozenset([match[3]]), match[2] != "!=")
    if match := _EXISTS.fullmatch(part):
        return Requirement(match[2], None, not match[1])
    raise bad_request(f"unable to parse requirement: {part!r} is not a label requirement")


def _field_requirement(part: str, kind: Kind) -> Requirement:
    match = _EQUAL.fullmatch(part)
    if match is None:
        raise bad_request(f"invalid selector: {part!r}; can't understand {part!r}")
    known = {"metadata.name", *kind.field_paths, *(("metadata.namespace",) if kind.namespaced else ())}
    if match[1] not in known:
        raise bad_request(_unknown_field(match[1], kind))
    return Requirement(match[1], frozenset([match[3]]), match[2] != "!=")


def _unknown_field(name: str, kind: Kind) -> str:
    """In the three wordings of the API server: plain kinds, core kinds, slices."""
    if not kind.field_paths:
        return f'"{name}" is not a known field selector: only "metadata.name", "metadata.namespace"'
    of = "" if not kind.group else f" for {kind.api_version}, Kind={kind.kind}"
    return f"field label not supported{of}: {name}"
