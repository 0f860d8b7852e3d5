"""`status.devices` of a claim: what node-prep told of its devices, for those who look there. Pure.

Only devices that are allocated and of a driver of ours: the entries of others are theirs. A condition
keeps its time for as long as its status stays.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from slicewire.common.model import DeviceRequestAllocationResult, ResourceClaim

_LONGEST_MESSAGE = 1024
_REASONS = frozenset({"Prepared", "PrepareFailed"})
_Id = tuple[str, str, str, str | None]


class Readiness(msgspec.Struct, frozen=True):
    """What one node told of a claim: an error, or that these (pool, device) are usable there."""

    drivers: Collection[str]
    prepared: Collection[tuple[str, str]] = ()
    error: str = ""


def entries(claim: ResourceClaim, told: Readiness | None, now: str) -> tuple[Mapping[str, Any], ...]:
    """The entries of our drivers, as they should be. None is told: there is none."""
    if told is None or claim.status.allocation is None:
        return ()
    times = _times(claim)
    return tuple(
        _entry(result, told, times, now)
        for result in claim.status.allocation.devices.results
        if result.driver in told.drivers and (told.error or (result.pool, result.device) in told.prepared)
    )


def shown(claim: ResourceClaim, drivers: Collection[str]) -> tuple[Mapping[str, Any], ...]:
    """What was told of these drivers' devices before; what others said beside it is left out."""
    return tuple(
        {
            "driver": found.driver,
            "pool": found.pool,
            "device": found.device,
            **({"shareID": found.share_id} if found.share_id else {}),
            "conditions": [dict(each) for each in found.conditions if _is_ours(each)],
        }
        for found in claim.status.devices
        if found.driver in drivers and any(map(_is_ours, found.conditions))
    )


def _is_ours(condition: Mapping[str, Any]) -> bool:
    return condition.get("type") == "Ready" and condition.get("reason") in _REASONS


def _entry(
    result: DeviceRequestAllocationResult, told: Readiness, times: Mapping[tuple[_Id, str], str], now: str
) -> Mapping[str, Any]:
    status = "False" if told.error else "True"
    key = (result.driver, result.pool, result.device, result.share_id)
    condition = {
        "type": "Ready",
        "status": status,
        "reason": "PrepareFailed" if told.error else "Prepared",
        "message": told.error[:_LONGEST_MESSAGE],
        "lastTransitionTime": times.get((key, status), now),
    }
    named = {"driver": result.driver, "pool": result.pool, "device": result.device}
    share = {"shareID": result.share_id} if result.share_id else {}
    return {**named, **share, "conditions": [condition]}


def _times(claim: ResourceClaim) -> Mapping[tuple[_Id, str], str]:
    """When each device came to be ready, or not."""
    return {
        ((found.driver, found.pool, found.device, found.share_id), str(each.get("status"))): str(
            each.get("lastTransitionTime")
        )
        for found in claim.status.devices
        for each in found.conditions
        if each.get("type") == "Ready"
    }
