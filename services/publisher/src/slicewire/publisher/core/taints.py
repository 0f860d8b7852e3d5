"""When a taint began, and whether two devices are the same but for that. Pure.

Tolerations run from `timeAdded`: a taint keeps its time for as long as its key, value and effect
stay, wherever in the pool its device is published. Refuses to guess at a time it cannot read:
such times are the same only when their text is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec

from slicewire.common.model import Device, DeviceName, DeviceTaint, ResourceSlice

TaintTimes = Mapping[tuple[DeviceName, str, str, str], str]

_SAME_TIME = timedelta(seconds=1)
"""The API server stores whole seconds."""


def taint_times(slices: Iterable[ResourceSlice]) -> TaintTimes:
    """When each taint of each device began; the later slice has the last word."""
    return {
        _key(device, taint): taint.time_added
        for found in slices
        for device in found.spec.devices
        for taint in device.taints
        if taint.time_added
    }


def with_times(device: Device, times: TaintTimes) -> Device:
    """The device with the stored time of each taint, unless it asks for another one."""
    taints = tuple(_with_time(taint, times.get(_key(device, taint))) for taint in device.taints)
    return msgspec.structs.replace(device, taints=taints) if taints != device.taints else device


def is_same_device(wanted: Device, stored: Device) -> bool:
    """By meaning: a time that only one side has is the server's default, and no difference."""
    return (
        len(wanted.taints) == len(stored.taints)
        and all(map(_is_same_taint, wanted.taints, stored.taints))
        and msgspec.structs.replace(wanted, taints=()) == msgspec.structs.replace(stored, taints=())
    )


def _key(device: Device, taint: DeviceTaint) -> tuple[DeviceName, str, str, str]:
    return (device.name, taint.key, taint.value, taint.effect)


def _with_time(taint: DeviceTaint, stored: str | None) -> DeviceTaint:
    if stored is None or not _is_same_time(taint.time_added, stored):
        return taint
    return msgspec.structs.replace(taint, time_added=stored)


def _is_same_taint(wanted: DeviceTaint, stored: DeviceTaint) -> bool:
    return _is_same_time(wanted.time_added, stored.time_added) and (
        (wanted.key, wanted.value, wanted.effect) == (stored.key, stored.value, stored.effect)
    )


def _is_same_time(one: str | None, other: str | None) -> bool:
    if not one or not other or one == other:
        return True
    moment, another = _moment(one), _moment(other)
    return moment is not None and another is not None and abs(moment - another) <= _SAME_TIME


def _moment(text: str) -> datetime | None:
    """None for what is no point in time: not a date, or a date without its offset from UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
