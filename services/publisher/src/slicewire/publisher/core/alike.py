"""What a slice says as the fact does, kept once. Pure.

A node with every MIG placement is a hundred devices and more, and both sides of a fleet are in memory: what
is equal is the same object. Refuses to make anything equal that is not.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from slicewire.common.model import Device, ResourceSlice


def alike(found: ResourceSlice, told: Iterable[Device]) -> ResourceSlice:
    """The same slice, made of what was told where that is equal but for taints, which are a server's too."""
    if not found.spec.devices:
        return found
    by_name = {device.name: device for device in told}
    devices = tuple(_alike(device, by_name.get(device.name)) for device in found.spec.devices)
    return msgspec.structs.replace(found, spec=msgspec.structs.replace(found.spec, devices=devices))


def _alike(device: Device, told: Device | None) -> Device:
    if told is None:
        return device
    if device.taints == told.taints:
        return told if device == told else device
    other = msgspec.structs.replace(told, taints=device.taints)
    return other if device == other else device
