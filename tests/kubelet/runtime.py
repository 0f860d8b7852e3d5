"""What a container runtime makes of CDI ids: finds the specs, checks them, merges the edits.

As containerd and CRI-O do it, from one directory: a bad file costs its own devices, a device in two
files costs the container.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import yaml

_SCHEMA = json.loads((Path(__file__).parent / "cdi.schema.json").read_text())
_VALIDATOR = jsonschema.Draft202012Validator(_SCHEMA)


class Unresolvable(Exception):
    """The runtime would not create the container."""


class BadSpec(ValueError):
    """The runtime would not load the file; the message says where and why."""


class Container(msgspec.Struct, frozen=True):
    """What the edits make of a container. Mounts are in the order of their depth."""

    env: Mapping[str, str]
    device_nodes: Mapping[str, Mapping[str, Any]]
    """By path in the container."""
    mounts: Mapping[str, Mapping[str, Any]]
    """By path in the container."""
    hooks: tuple[Mapping[str, Any], ...]


def check(spec: Any) -> None:
    """Raises `BadSpec`."""
    error = next(iter(sorted(_VALIDATOR.iter_errors(spec), key=str)), None)
    if error is not None:
        raise BadSpec(f"{error.json_path}: {error.message}")
    needed = _needed_version(spec)
    if _version(spec["cdiVersion"]) < needed:
        raise BadSpec(f"$.cdiVersion: {spec['cdiVersion']} is lower than the content needs ({needed})")


def container(ids: Sequence[str], cdi_dir: Path) -> Container:
    """The container that gets these ids. Raises `Unresolvable`."""
    specs = tuple(_loaded(cdi_dir))
    missing = [one for one in ids if len(_holding(specs, one)) != 1]
    if missing:
        raise Unresolvable(f"unresolvable CDI devices {', '.join(missing)}")
    edits: list[Mapping[str, Any]] = []
    for identifier in dict.fromkeys(ids):
        [(spec, device)] = _holding(specs, identifier)
        if (shared := spec.get("containerEdits", {})) not in edits:
            edits.append(shared)
        edits.append(device["containerEdits"])
    return _merged(edits)


def _loaded(cdi_dir: Path) -> Iterable[Mapping[str, Any]]:
    for path in sorted((*cdi_dir.glob("*.json"), *cdi_dir.glob("*.yaml"))):
        try:
            spec = yaml.safe_load(path.read_text())
            check(spec)
        except (BadSpec, yaml.YAMLError):
            continue
        yield spec


def _holding(
    specs: Iterable[Mapping[str, Any]], identifier: str
) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    kind, _, name = identifier.partition("=")
    return [
        (spec, device)
        for spec in specs
        if spec["kind"] == kind
        for device in spec["devices"]
        if device["name"] == name
    ]


def _merged(edits: Iterable[Mapping[str, Any]]) -> Container:
    env: dict[str, str] = {}
    nodes: dict[str, Mapping[str, Any]] = {}
    mounts: dict[str, Mapping[str, Any]] = {}
    hooks: list[Mapping[str, Any]] = []
    for one in edits:
        env |= {name: value for name, _, value in (text.partition("=") for text in one.get("env", ()))}
        nodes |= {node["path"]: node for node in one.get("deviceNodes", ())}
        mounts |= {mount["containerPath"]: mount for mount in one.get("mounts", ())}
        hooks += one.get("hooks", ())
    by_depth = dict(sorted(mounts.items(), key=lambda item: item[0].count("/")))
    return Container(env, nodes, by_depth, tuple(hooks))


def _version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def _needed_version(spec: Mapping[str, Any]) -> tuple[int, ...]:
    """The lowest version that has everything in the spec."""
    every = [spec.get("containerEdits", {}), *(device["containerEdits"] for device in spec["devices"])]
    nodes = [node for edits in every for node in edits.get("deviceNodes", ())]
    mounts = [mount for edits in every for mount in edits.get("mounts", ())]
    features = {
        (0, 4, 0): any("type" in mount for mount in mounts),
        (0, 5, 0): any("hostPath" in node for node in nodes)
        or any(device["name"][0].isdigit() for device in spec["devices"]),
        (0, 6, 0): "annotations" in spec
        or any("annotations" in device for device in spec["devices"])
        or "." in spec["kind"].partition("/")[2],
        (0, 7, 0): any("intelRdt" in edits or "additionalGids" in edits for edits in every),
        (1, 1, 0): any("netDevices" in edits for edits in every),
    }
    return max((version for version, used in features.items() if used), default=(0, 3, 0))
