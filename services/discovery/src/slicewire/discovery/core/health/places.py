"""Which GPU a device belongs to: all that is offered of one GPU says the same PCI bus id."""

from __future__ import annotations

from slicewire.common.model import Device
from slicewire.discovery.core.attributes import PCI_BUS_ID


def place(device: Device) -> str:
    """Empty for a device that does not say."""
    return _text(device, PCI_BUS_ID)


def owner(device: Device) -> str:
    """The UUID of its GPU; empty where it does not say."""
    parent = _text(device, "parentUUID")
    return parent or (_text(device, "uuid") if _text(device, "type") == "gpu" else "")


def _text(device: Device, name: str) -> str:
    attribute = device.attributes.get(name)
    return (attribute and attribute.string) or ""
