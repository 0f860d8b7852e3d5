"""Compatibility groups: devices that draw from one counter set together must have a group in common.

KEP "device compatibility groups" (Kubernetes 1.37, alpha): a device without groups may only be
combined with others without, which is the same rule once "no group" is a group of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from slicewire.allocator.core.holdings import Usage
from slicewire.allocator.core.objections import Objection
from slicewire.allocator.core.stock import Candidate, Pool
from slicewire.common.model import Device, DeviceCounterConsumption, PoolID, Rule

Groups = frozenset[str]
_NONE = frozenset(("",))


class Incompatible(Objection, frozen=True):
    """What is in use of the counter set has no group in common with the device."""

    RULE = Rule.COUNTER
    counter_set: str
    groups: tuple[str, ...]

    def __str__(self) -> str:
        wanted = " or ".join(self.groups) if any(self.groups) else "none"
        return f"devices in use of counter set {self.counter_set} need a compatibility group of {wanted}"


class Compatibility:
    """What the devices in use of each counter set have in common. `join` and `leave` mirror each other."""

    def __init__(self, pools: Mapping[PoolID, Pool], usages: Mapping[PoolID, Usage]) -> None:
        self._pools = pools
        self._usages = usages
        self._common: dict[tuple[PoolID, str], list[Groups | None]] = {}

    def objection(self, candidate: Candidate) -> Incompatible | None:
        for consumption in candidate.device.consumes_counters:
            common = self._of(candidate.pool_id, consumption.counter_set)[-1]
            if common is not None and not common & _groups(consumption):
                return Incompatible(consumption.counter_set, tuple(sorted(common)))
        return None

    def join(self, candidate: Candidate) -> None:
        for consumption in candidate.device.consumes_counters:
            stack = self._of(candidate.pool_id, consumption.counter_set)
            stack.append(_joined(stack[-1], consumption))

    def leave(self, candidate: Candidate) -> None:
        for consumption in candidate.device.consumes_counters:
            self._of(candidate.pool_id, consumption.counter_set).pop()

    def _of(self, id_: PoolID, counter_set: str) -> list[Groups | None]:
        """What is in common, one entry for each pick; the first is of what other claims hold."""
        key = (id_, counter_set)
        if key not in self._common:
            self._common[key] = [self._held(id_, counter_set)]
        return self._common[key]

    def _held(self, id_: PoolID, counter_set: str) -> Groups | None:
        pool, usage = self._pools[id_], self._usages[id_]
        common: Groups | None = None
        for device in (*(candidate.device for candidate in pool.devices), *pool.elsewhere):
            if device.name in usage.dedicated or device.name in usage.shared:
                for consumption in _of_set(device, counter_set):
                    common = _joined(common, consumption)
        return common


def _of_set(device: Device, counter_set: str) -> tuple[DeviceCounterConsumption, ...]:
    return tuple(each for each in device.consumes_counters if each.counter_set == counter_set)


def _groups(consumption: DeviceCounterConsumption) -> Groups:
    return frozenset(consumption.compatibility_groups) or _NONE


def _joined(common: Groups | None, consumption: DeviceCounterConsumption) -> Groups:
    groups = _groups(consumption)
    return groups if common is None else common & groups
