"""Paths into an object, as `managedFields` writes them: `f:spec`, `k:{"uid":"1"}`, `v:"a finalizer"`.

Pure set arithmetic on objects: which leaves an object has, what differs between two, and the same
object with some leaves merged in or taken out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tests.kubeapi.patches import shape_of_field
from tests.kubeapi.schema import Items, Leaf, Record, Shape, Table

Path = tuple[str, ...]

_UNOWNED = {
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
}
"""The server's own metadata, which nobody owns."""


def leaves_of(stored: Mapping[str, Any], shape: Record) -> dict[Path, Any]:
    """Every path somebody can own, with its value."""
    metadata = {key: each for key, each in stored.get("metadata", {}).items() if key not in _UNOWNED}
    rest = {key: each for key, each in stored.items() if key not in {"apiVersion", "kind", "metadata"}}
    owned = {"metadata": metadata, **rest} if metadata else rest
    return {path: value for path, value in _leaves(owned, shape, ()) if path}


def _leaves(value: Any, shape: Shape, path: Path) -> Iterator[tuple[Path, Any]]:
    if _is_granular(value, shape) and value:
        for key, each in value.items():
            yield from _leaves(each, shape_of_field(shape, key), (*path, f"f:{key}"))
    elif isinstance(shape, Items) and shape.keys:
        for each in value:
            item = (*path, key_of(each, shape))
            yield item, None
            yield from _leaves(each, shape.of, item)
    elif isinstance(shape, Items) and shape.is_set:
        yield from (((*path, f"v:{json.dumps(each)}"), each) for each in value)
    else:
        yield path, value


def _is_granular(value: Any, shape: Shape) -> bool:
    if not isinstance(value, Mapping):
        return False
    return isinstance(shape, Table) or shape is Leaf.ANY or (isinstance(shape, Record) and not shape.atomic)


def key_of(item: Mapping[str, Any], shape: Items) -> str:
    keys = {key: item[key] for key in sorted(shape.keys) if key in item}
    return f"k:{json.dumps(keys, separators=(',', ':'))}"


def overlaid(live: Any, applied: Any, shape: Shape) -> Any:
    """The live value with everything the applied one says laid over it."""
    if isinstance(live, Mapping) and _is_granular(applied, shape):
        below = {
            key: overlaid(live.get(key), each, shape_of_field(shape, key)) for key, each in applied.items()
        }
        return {**live, **below}
    if isinstance(shape, Items) and shape.keys and live:
        items = {key_of(each, shape): each for each in live}
        for each in applied:
            items[key_of(each, shape)] = overlaid(items.get(key_of(each, shape)), each, shape.of)
        return list(items.values())
    if isinstance(shape, Items) and shape.is_set and live:
        return list(dict.fromkeys([*live, *applied]))
    return applied


def without(value: Any, path: Path, shape: Shape) -> Any:
    """The value less what the path names; a path that leads nowhere changes nothing."""
    step, rest = path[0], path[1:]
    if step.startswith("f:"):
        return _without_field(value, step[2:], rest, shape)
    if not isinstance(shape, Items) or not isinstance(value, list):
        return value
    if step.startswith("v:"):
        return [each for each in value if f"v:{json.dumps(each)}" != step]
    if not rest:
        return [each for each in value if key_of(each, shape) != step]
    return [without(each, rest, shape.of) if key_of(each, shape) == step else each for each in value]


def _without_field(value: Any, key: str, rest: Path, shape: Shape) -> Any:
    if not isinstance(value, Mapping) or key not in value:
        return value
    if rest:
        return {**value, key: without(value[key], rest, shape_of_field(shape, key))}
    return {name: each for name, each in value.items() if name != key}


def to_tree(paths: Iterable[Path]) -> dict[str, Any]:
    """`fieldsV1`: a nested object, with `.` where a path is owned that has owned paths below it."""
    tree: dict[str, Any] = {}
    for path in sorted(paths):
        node = tree
        for step in path:
            node = node.setdefault(step, {})
        node["."] = {}
    return _dotted(tree)


def _dotted(tree: Mapping[str, Any]) -> dict[str, Any]:
    if set(tree) == {"."}:
        return {}
    return {key: each if key == "." else _dotted(each) for key, each in tree.items()}


def from_tree(tree: Mapping[str, Any], path: Path = ()) -> Iterator[Path]:
    if path and (not tree or "." in tree):
        yield path
    for key, below in tree.items():
        if key != ".":
            yield from from_tree(below, (*path, key))


def spoken(path: Path) -> str:
    """A path as the real server names it in a conflict: `.spec.nodeName`, `.metadata.finalizers`."""
    return "".join(f".{step[2:]}" if step.startswith("f:") else f"[{step[2:]}]" for step in path)
