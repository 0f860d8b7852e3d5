"""The three patches that need no memory: merge patch, JSON patch, strategic merge patch.

Each gives a new object and leaves the old one alone. Server-side apply, which remembers who set what,
is in `apply.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from tests.kubeapi.schema import Items, Leaf, Record, Shape, Table
from tests.kubeapi.statuses import bad_request, unprocessable

_DELETE_FROM = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"
_MISSING = object()


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386: null removes, objects merge, all else replaces."""
    if not isinstance(patch, Mapping):
        return deepcopy(patch)
    merged = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def json_patch(target: Any, operations: Any) -> Any:
    """RFC 6902; the first operation that cannot be done refuses them all."""
    if not isinstance(operations, list):
        raise bad_request("a JSON patch is a list of operations")
    document = deepcopy(target)
    for operation in operations:
        document = _operate(document, operation)
    return document


def _operate(document: Any, operation: Any) -> Any:
    match operation:
        case {"op": "add", "path": str(path), "value": value}:
            return _put(document, path, deepcopy(value), insert=True)
        case {"op": "replace", "path": str(path), "value": value}:
            _find(document, path)
            return _put(document, path, deepcopy(value), insert=False)
        case {"op": "remove", "path": str(path)}:
            return _take(document, path)
        case {"op": "move", "from": str(source), "path": str(path)}:
            found = _find(document, source)
            return _put(_take(document, source), path, found, insert=True)
        case {"op": "copy", "from": str(source), "path": str(path)}:
            return _put(document, path, deepcopy(_find(document, source)), insert=True)
        case {"op": "test", "path": str(path), "value": value}:
            if _find(document, path) != value:
                raise unprocessable(f"testing value {path} failed")
            return document
    raise bad_request(f"not a JSON patch operation: {operation!r}")


def _steps(path: str) -> list[str]:
    if path and not path.startswith("/"):
        raise bad_request(f"JSON patch path {path!r} does not begin with /")
    return [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:]]


def _find(document: Any, path: str) -> Any:
    for step in _steps(path):
        document = _child(document, step)
        if document is _MISSING:
            raise unprocessable(f"the patch names {path!r}, which is not there")
    return document


def _child(parent: Any, step: str) -> Any:
    if isinstance(parent, Mapping):
        return parent.get(step, _MISSING)
    if isinstance(parent, list) and step.isdecimal() and int(step) < len(parent):
        return parent[int(step)]
    return _MISSING


def _put(document: Any, path: str, value: Any, *, insert: bool) -> Any:
    steps = _steps(path)
    if not steps:
        return value
    parent, last = _find(document, path.rpartition("/")[0]), steps[-1]
    if isinstance(parent, dict):
        parent[last] = value
    elif isinstance(parent, list) and last == "-":
        parent.append(value)
    elif isinstance(parent, list) and last.isdecimal() and int(last) <= len(parent):
        parent[int(last) : int(last) + (not insert)] = [value]
    else:
        raise unprocessable(f"the patch names {path!r}, where nothing can be put")
    return document


def _take(document: Any, path: str) -> Any:
    _find(document, path)
    parent, last = _find(document, path.rpartition("/")[0]), _steps(path)[-1]
    del parent[int(last) if isinstance(parent, list) else last]
    return document


def strategic_merge_patch(target: Any, patch: Any, shape: Shape) -> Any:
    """Kubernetes' own: like a merge patch, but lists with a merge key merge by it, and sets unite."""
    match shape:
        case Record(atomic=False) | Table() | Leaf.ANY if isinstance(patch, Mapping):
            return _merge_fields(target, patch, shape)
        case Items(of, merge_key=key) if key and isinstance(patch, list):
            return _merge_by_key(target or [], patch, of, key)
        case Items(is_set=True) if isinstance(patch, list):
            return list(dict.fromkeys([*(target or []), *patch]))
    return deepcopy(patch)


def _merge_fields(target: Any, patch: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
    if patch.get("$patch") == "replace":
        return {key: deepcopy(value) for key, value in patch.items() if key != "$patch"}
    merged = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if key.startswith(_DELETE_FROM):
            name = key.removeprefix(_DELETE_FROM)
            merged[name] = [each for each in merged.get(name, []) if each not in value]
        elif value is None:
            merged.pop(key, None)
        elif not key.startswith((_ORDER, "$patch", "$retainKeys")):
            merged[key] = strategic_merge_patch(merged.get(key), value, shape_of_field(shape, key))
    return merged


def _merge_by_key(target: Sequence[Any], patch: Sequence[Any], of: Shape, key: str) -> list[Any]:
    if {"$patch": "replace"} in patch:
        return [deepcopy(each) for each in patch if each != {"$patch": "replace"}]
    merged = {each.get(key): each for each in target}
    for each in patch:
        if not isinstance(each, Mapping) or key not in each:
            raise bad_request(f"map: {each!r} does not contain declared merge key: {key}")
        if each.get("$patch") == "delete":
            merged.pop(each[key], None)
        else:
            merged[each[key]] = strategic_merge_patch(merged.get(each[key]), each, of)
    return list(merged.values())


def shape_of_field(shape: Shape, key: str) -> Shape:
    """What lies under a key: a described field, an entry of a map, or something undescribed."""
    match shape:
        case Record(fields):
            return fields.get(key, Leaf.ANY)
        case Table(of):
            return of
        case _:
            return Leaf.ANY
