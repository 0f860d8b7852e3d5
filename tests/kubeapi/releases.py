"""What an older release, or one with feature gates off, makes of an object: fields it does not keep.

As the real server: without a word, on creation, and on a change unless the stored object has them already.
An attribute that loses its list has no value any more, and is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from tests.kubeapi.kinds import SLICES, Kind

Object = Mapping[str, Any]
_LISTS = frozenset({"ints", "bools", "strings", "versions"})


class Gate(Enum):
    """A feature of the server that may be off."""

    TAINTS = "DRADeviceTaints"
    PARTITIONS = "DRAPartitionableDevices"
    LISTS = "DRAListTypeAttributes"
    CAPACITY = "DRAConsumableCapacity"


@dataclass(frozen=True)
class Release:
    minor: int = 36
    off: frozenset[Gate] = frozenset()

    @property
    def counters_apart(self) -> bool:
        return self.minor >= 35


def kept_by(release: Release, kind: Kind, old: Object | None, made: dict[str, Any]) -> dict[str, Any]:
    """The object without what this release drops."""
    if kind is not SLICES or not release.off or "spec" not in made:
        return made
    spec = made["spec"]
    for gate in release.off:
        is_used, drop = _GATES[gate]
        if old is None or not is_used(old.get("spec", {})):
            spec = drop(spec)
    return {**made, "spec": spec}


def _without(*fields: str) -> Callable[[Object], Object]:
    def drop(spec: Object) -> Object:
        devices = [{key: each[key] for key in each if key not in fields} for each in spec.get("devices", ())]
        rest = {key: spec[key] for key in spec if key not in {*fields, "devices"}}
        return {**rest, "devices": devices} if devices else rest

    return drop


def _without_lists(spec: Object) -> Object:
    def bare(attribute: Object) -> Object:
        return {key: attribute[key] for key in attribute if key not in _LISTS}

    devices = [
        {**each, "attributes": {key: bare(value) for key, value in each["attributes"].items()}}
        if "attributes" in each
        else each
        for each in spec.get("devices", ())
    ]
    return {**spec, "devices": devices} if devices else spec


def _exclusively(spec: Object) -> Object:
    def bare(capacity: Object) -> Object:
        return {name: {"value": each["value"]} for name, each in capacity.items()}

    bared = _without("allowMultipleAllocations")(spec)
    devices = [
        {**each, "capacity": bare(each["capacity"])} if "capacity" in each else each
        for each in bared.get("devices", ())
    ]
    return {**bared, "devices": devices} if devices else bared


def _uses(*fields: str) -> Callable[[Object], bool]:
    def is_used(spec: Object) -> bool:
        return any(each.get(field) for field in fields for each in (spec, *spec.get("devices", ())))

    return is_used


def _uses_lists(spec: Object) -> bool:
    return any(
        _LISTS & set(attribute)
        for each in spec.get("devices", ())
        for attribute in each.get("attributes", {}).values()
    )


_PARTITIONS = ("sharedCounters", "consumesCounters", "perDeviceNodeSelection")
_GATES: Mapping[Gate, tuple[Callable[[Object], bool], Callable[[Object], Object]]] = {
    Gate.TAINTS: (_uses("taints"), _without("taints")),
    Gate.PARTITIONS: (_uses(*_PARTITIONS), _without(*_PARTITIONS)),
    Gate.LISTS: (_uses_lists, _without_lists),
    Gate.CAPACITY: (_uses("allowMultipleAllocations"), _exclusively),
}
