"""Pools in few words, and a store that treats slices as the API server does."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import Any

import msgspec

from slicewire.common.model import (
    Counter,
    CounterSet,
    Device,
    DeviceName,
    DriverName,
    NodeName,
    PoolName,
    Quantity,
    ResourceSlice,
    wire,
)
from slicewire.publisher.core.difference import Change, Create, Delete, Update, difference
from slicewire.publisher.core.slices import Owner, PoolWanted, desired_slices

NODE = NodeName("node-a")
DRIVER = DriverName("gpu.nvidia.com")
POOL = PoolName("node-a")
NOW = "2026-11-24T10:00:00Z"


def gpus(number: int, first: int = 0, **fields: Any) -> tuple[Device, ...]:
    return tuple(Device(name=DeviceName(f"gpu-{first + index}"), **fields) for index in range(number))


def counter_sets(number: int, memory: str = "80Gi") -> tuple[CounterSet, ...]:
    return tuple(
        CounterSet(name=f"gpu-{index}-counters", counters={"memory": Counter(value=Quantity(memory))})
        for index in range(number)
    )


def a_pool(devices: tuple[Device, ...] = (), uid: str = "uid-of-node-a", **more: Any) -> PoolWanted:
    return PoolWanted(owner=Owner(NODE, uid), driver=DRIVER, pool=POOL, devices=devices, **more)


def edited(found: ResourceSlice, metadata: dict[str, Any] | None = None, **spec: Any) -> ResourceSlice:
    """The slice with some fields of its metadata and its spec replaced."""
    return msgspec.structs.replace(
        found,
        metadata=msgspec.structs.replace(found.metadata, **(metadata or {})),
        spec=msgspec.structs.replace(found.spec, **spec),
    )


def of_generation(found: ResourceSlice, generation: int) -> ResourceSlice:
    return edited(found, pool=msgspec.structs.replace(found.spec.pool, generation=generation))


class SliceStore:
    """Names, versions, preconditions, canonical quantities and taint times, as the API server has them."""

    def __init__(self, slices: Iterable[ResourceSlice] = ()) -> None:
        self._slices = {found.metadata.name: found for found in slices}
        self._serial = count(10_000)

    @property
    def slices(self) -> tuple[ResourceSlice, ...]:
        return tuple(self._slices.values())

    def publish(self, wanted: PoolWanted) -> tuple[Change, ...]:
        """Bring the store to what is wanted; the changes that it took."""
        changes = difference(desired_slices(wanted), self.slices)
        self.apply(changes)
        return changes

    def apply(self, changes: tuple[Change, ...]) -> None:
        for change in changes:
            match change:
                case Create(found):
                    base = found.metadata.generate_name[:58]
                    serial = f"{next(self._serial)}"
                    self._keep(found, f"{base}{serial}", f"uid-{serial}")
                case Update(found):
                    stored = self._slices[found.metadata.name]
                    self._expect(stored, found.metadata.uid, found.metadata.resource_version)
                    assert _fixed(stored) == _fixed(found), "the API server refuses: field is immutable"
                    self._keep(found, found.metadata.name, found.metadata.uid)
                case Delete(name, uid, resource_version):
                    self._expect(self._slices.pop(name), uid, resource_version)

    def _keep(self, found: ResourceSlice, name: str, uid: str) -> None:
        assert len(name) <= 63
        assert not (found.spec.devices and found.spec.shared_counters), "the API server refuses both"
        metadata = {"name": name, "uid": uid, "resource_version": f"{next(self._serial)}"}
        self._slices[name] = as_served(edited(found, metadata))

    @staticmethod
    def _expect(stored: ResourceSlice, uid: str, resource_version: str) -> None:
        assert (stored.metadata.uid, stored.metadata.resource_version) == (uid, resource_version)


def as_served(found: ResourceSlice) -> ResourceSlice:
    """The slice after a journey through the API server: same meaning, its own notation."""
    plain = wire.document(found)
    for device in plain["spec"].setdefault("devices", None) or ():
        for capacity in device.get("capacity", {}).values():
            capacity["value"] = Quantity.of(Quantity(capacity["value"]).value).text
        for taint in device.get("taints", ()):
            taint.setdefault("timeAdded", NOW)
        _canonical_counters(device.setdefault("consumesCounters", None) or ())
    _canonical_counters(plain["spec"].setdefault("sharedCounters", None) or ())
    return wire.decode(msgspec.json.encode(plain), ResourceSlice)


def _canonical_counters(holders: Iterable[dict[str, Any]]) -> None:
    for holder in holders:
        for counter in holder["counters"].values():
            counter["value"] = Quantity.of(Quantity(counter["value"]).value).text


def _fixed(found: ResourceSlice) -> tuple[str, str, str | None]:
    return (found.spec.driver, found.spec.pool.name, found.spec.node_name)
