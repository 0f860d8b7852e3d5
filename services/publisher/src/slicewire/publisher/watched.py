"""What we read of Kubernetes: the kinds, where they are found, and what a watch can say of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import msgspec

from slicewire.common.model import DeviceClass, DeviceTaintRule, Node, ResourceClaim, ResourceSlice, wire
from slicewire.common.model.struct import Object
from slicewire.publisher.core import versions
from slicewire.publisher.core.pods import Pod

T = TypeVar("T", bound=Object)


class Kind(msgspec.Struct, Generic[T], frozen=True):
    """A kind of object we read; `path` lists all there are."""

    name: str
    path: str
    type: type[T]
    query: Mapping[str, str] = {}

    def read(self, raw: bytes) -> T:
        """An object as the server shows it at this path. Raises `wire.Malformed`."""
        return read(raw, self.type, self.path.split("/")[-2])


def read(raw: bytes, kind: type[T], version: str) -> T:
    """An object of this version, as what it is in `v1`. Raises `wire.Malformed`."""
    if not versions.needs_reading(kind.KIND, version):
        return wire.decode(raw, kind)
    return wire.convert(versions.read(wire.decode(raw, dict), kind.KIND, version), kind)


def _devices(name: str, kind: type[T]) -> tuple[Kind[T], ...]:
    """A kind of the device API in every version it is known in: the first that is served counts."""
    return tuple(Kind(name, f"{versions.GROUP_PATH}/{version}/{name}", kind) for version in versions.VERSIONS)


NODES = Kind("nodes", "/api/v1/nodes", Node)
PODS = Kind("pods", "/api/v1/pods", Pod, {"fieldSelector": "spec.nodeName="})
"""Only pods without a node: a gated pod has none, and one that got a node leaves the watch."""
CLAIMS = _devices("resourceclaims", ResourceClaim)
CLASSES = _devices("deviceclasses", DeviceClass)
SLICES = _devices("resourceslices", ResourceSlice)
TAINT_RULES = tuple(
    Kind("devicetaintrules", f"{versions.GROUP_PATH}/{version}/devicetaintrules", DeviceTaintRule)
    for version in ("v1", "v1beta2", "v1alpha3")
)
"""Of 1.37, of 1.36 where its gate is on, and of 1.35 where it is: the newest that is served counts."""


class Listed(msgspec.Struct, Generic[T], frozen=True):
    """Everything there is of a kind: what is known otherwise is gone."""

    objects: tuple[T, ...]


class Seen(msgspec.Struct, Generic[T], frozen=True):
    """An object is there, or has changed."""

    object: T


class Gone(msgspec.Struct, Generic[T], frozen=True):
    """An object was there last as this."""

    object: T


Event = Listed[Any] | Seen[Any] | Gone[Any]
