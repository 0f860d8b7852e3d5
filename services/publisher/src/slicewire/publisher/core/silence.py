"""A pool whose agent is silent: what Kubernetes should show of it, and for how long. Pure.

Its devices may still be there and in use, so they stay, tainted, for a while; then they go. Since when they
are silent is written in the taint, so that a restart does not begin the time anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from slicewire.common.model import CounterSet, Device, DeviceTaint, ResourceSlice

SILENT_TAINT = "slicewire.dev/silent"
_OURS = frozenset({SILENT_TAINT, "slicewire.dev/managed"})
"""Taints that are said anew each time, or no longer."""


class Silent(msgspec.Struct, frozen=True):
    """What was published last. `left` is the time until it goes; none: it goes now."""

    devices: tuple[Device, ...]
    shared_counters: tuple[CounterSet, ...]
    taint: DeviceTaint
    left: timedelta


def silent(stored: Sequence[ResourceSlice], since: datetime, now: datetime, keep: timedelta) -> Silent | None:
    """None where nothing is published. `since` is when this process learned of the silence."""
    if not stored:
        return None
    newest = max(found.spec.pool.generation for found in stored)
    specs = [found.spec for found in stored if found.spec.pool.generation == newest]
    devices = {device.name: device for spec in specs for device in spec.devices}
    counters = {found.name: found for spec in specs for found in spec.shared_counters}
    began = min((since, *_times(devices.values())))
    return Silent(
        devices=tuple(map(_bare, devices.values())),
        shared_counters=tuple(counters.values()),
        taint=DeviceTaint(
            key=SILENT_TAINT, effect="NoSchedule", time_added=began.isoformat().replace("+00:00", "Z")
        ),
        left=began + keep - now,
    )


def is_offered(stored: Sequence[ResourceSlice]) -> bool:
    """Something is published, and not as that of a silent agent."""
    taints = (taint for found in stored for device in found.spec.devices for taint in device.taints)
    return bool(stored) and not any(taint.key == SILENT_TAINT for taint in taints)


def _times(devices: Iterable[Device]) -> tuple[datetime, ...]:
    return tuple(
        datetime.fromisoformat(taint.time_added)
        for device in devices
        for taint in device.taints
        if taint.key == SILENT_TAINT and taint.time_added
    )


def _bare(device: Device) -> Device:
    taints = tuple(taint for taint in device.taints if taint.key not in _OURS)
    return msgspec.structs.replace(device, taints=taints)
