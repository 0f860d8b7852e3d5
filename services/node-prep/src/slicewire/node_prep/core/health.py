"""How the devices of the node fare, in the kubelet's three words, from what discovery told of them.

Discovery finds out what is wrong and says it as taints; here they are only put into words for whoever
uses a device.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

import msgspec

from slicewire.common.model import Device, DeviceName, DeviceTaint, PoolName
from slicewire.common.model.naming import gpu_minor
from slicewire.node_prep.core.node import Node

_DOMAINS = ("gpu.nvidia.com", "slicewire.dev")
"""Whose taints are about a device's health. An admin's own say who may use it, not how it fares."""
_NOT_ABOUT_HEALTH = frozenset({"slicewire.dev/managed"})
_NOBODY_LOOKS = "gpu.nvidia.com/unmonitored"
_FOR_INFORMATION = "None"
"""The effect of a taint that keeps nobody away."""
_LONGEST_MESSAGE = 1024
"""The kubelet cuts off what is longer."""


class Status(StrEnum):
    """By the names of the protocol."""

    UNKNOWN = "UNKNOWN"
    HEALTHY = "HEALTHY"
    UNHEALTHY = "UNHEALTHY"


class DeviceHealth(msgspec.Struct, frozen=True):
    pool: PoolName
    device: DeviceName
    status: Status
    message: str = ""


def health(node: Node) -> tuple[DeviceHealth, ...]:
    """Of every device that is offered, and of every GPU that would be if it could be read."""
    return tuple(_each(node))


def unknown(node: Node, reason: str) -> tuple[DeviceHealth, ...]:
    """What there was, when nobody can say any more how it fares."""
    return tuple(msgspec.structs.replace(one, status=Status.UNKNOWN, message=reason) for one in _each(node))


def _each(node: Node) -> Iterator[DeviceHealth]:
    if node.pool is None:
        return
    for name, device in node.devices.items():
        if reason := node.unreadable.get(name):
            yield DeviceHealth(node.pool, name, Status.UNKNOWN, _cut(f"cannot be read: {reason}"))
        else:
            yield DeviceHealth(node.pool, name, *_judged(device))
    for what, reason in node.unreadable.items():
        name = DeviceName(what)
        if name not in node.devices and gpu_minor(name) is not None:
            yield DeviceHealth(node.pool, name, Status.UNKNOWN, _cut(f"cannot be read: {reason}"))


def _judged(device: Device) -> tuple[Status, str]:
    said = tuple(taint for taint in device.taints if _is_about_health(taint))
    message = _cut(", ".join(map(_words, said)))
    keys = {taint.key for taint in said if taint.effect != _FOR_INFORMATION}
    if keys - {_NOBODY_LOOKS}:
        return Status.UNHEALTHY, message
    return (Status.UNKNOWN if _NOBODY_LOOKS in {taint.key for taint in said} else Status.HEALTHY), message


def _is_about_health(taint: DeviceTaint) -> bool:
    return taint.key.partition("/")[0] in _DOMAINS and taint.key not in _NOT_ABOUT_HEALTH


def _words(taint: DeviceTaint) -> str:
    """As kubectl writes taints."""
    value = f"={taint.value}" if taint.value else ""
    return f"{taint.key}{value}:{taint.effect}"


def _cut(message: str) -> str:
    return message.encode()[:_LONGEST_MESSAGE].decode(errors="ignore")
