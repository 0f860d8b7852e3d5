"""What a published device is made of, and so how it is prepared: one struct per kind, told by its tag.

A GPU is known by its UUID and by its place on the bus: numbers in device names are names only.
"""

from __future__ import annotations

import re
from typing import assert_never

from slicewire.common.model import Device, DeviceName, DeviceRequestAllocationResult, PoolName, Quantity
from slicewire.common.model.naming import MigName, parsed
from slicewire.common.model.struct import Object
from slicewire.node_prep.core.config import DeviceConfig, DeviceType, GpuConfig
from slicewire.node_prep.core.refusal import PrepareRefusal, Why

_BUS_ID = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
"""It becomes part of paths below /sys."""
_BUS_ID_ATTRIBUTE = "resource.kubernetes.io/pciBusID"


class FullGpu(Object, frozen=True, tag_field="kind", tag="gpu"):
    uuid: str
    pci_bus_id: str = ""


class Partition(Object, frozen=True, tag_field="kind", tag="mig"):
    """A MIG device of this GPU. Without a UUID of its own it is made for the claim and removed after."""

    gpu: str
    profile_id: int
    start: int
    uuid: str = ""
    pci_bus_id: str = ""
    """Of the GPU."""


class VfioFunction(Object, frozen=True, tag_field="kind", tag="vfio"):
    """A whole GPU, as the PCI device that a virtual machine gets. NVML need not know it."""

    pci_bus_id: str


Hardware = FullGpu | Partition | VfioFunction


class Share(Object, frozen=True):
    """One of the shares in which a device is given to several claims at once."""

    id: str
    memory: Quantity | None = None
    """As granted. Only MPS holds processes to it."""


class PlannedDevice(Object, frozen=True):
    device: DeviceName
    pool: PoolName
    request_names: tuple[str, ...]
    hardware: Hardware
    config: DeviceConfig = GpuConfig()
    """Normalised."""
    admin_access: bool = False
    share: Share | None = None


def device_type(device: Device) -> DeviceType | PrepareRefusal:
    given = text(device, "type")
    try:
        return DeviceType(given)
    except ValueError:
        known = ", ".join(DeviceType)
        return PrepareRefusal(
            Why.UNSUPPORTED, f'device {device.name} is of type "{given}"; known are {known}'
        )


def hardware(device: Device, kind: DeviceType) -> Hardware | PrepareRefusal:
    match kind:
        case DeviceType.GPU:
            uuid = text(device, "uuid")
            return FullGpu(uuid=uuid, pci_bus_id=bus_id(device)) if uuid else _lacks(device, "uuid")
        case DeviceType.MIG:
            return _partition(device)
        case DeviceType.VFIO:
            return _function(device)


def of_one_gpu(one: Hardware, other: Hardware) -> bool:
    """Whatever they are called: the same UUID, or the same place on the bus."""
    return any(a and a == b for a, b in zip(_gpu(one), _gpu(other), strict=True))


def share(result: DeviceRequestAllocationResult) -> Share | None:
    if result.share_id is None:
        return None
    return Share(id=result.share_id, memory=result.consumed_capacity.get("memory"))


def text(device: Device, attribute: str) -> str:
    found = device.attributes.get(attribute)
    return (found.string or "") if found is not None else ""


def _partition(device: Device) -> Partition | PrepareRefusal:
    parent = text(device, "parentUUID")
    if not parent:
        return _lacks(device, "parentUUID")
    match parsed(device.name):
        case MigName(_, profile_id, start):
            return Partition(
                gpu=parent,
                profile_id=profile_id,
                start=start,
                uuid=text(device, "uuid"),
                pci_bus_id=bus_id(device),
            )
        case _:
            return PrepareRefusal(
                Why.UNSUPPORTED,
                f"device {device.name}: the name of a partition is gpu-<number>-mig-<profile>-<id>-<start>",
            )


def _function(device: Device) -> VfioFunction | PrepareRefusal:
    given = bus_id(device)
    if not given:
        return _lacks(device, _BUS_ID_ATTRIBUTE)
    if not _BUS_ID.fullmatch(given):
        return PrepareRefusal(
            Why.UNREADABLE_DEVICE,
            f"device {device.name}: its attribute {_BUS_ID_ATTRIBUTE} is {given!r},"
            " which is not like 0000:1a:00.0",
        )
    return VfioFunction(pci_bus_id=given)


def bus_id(device: Device) -> str:
    return text(device, _BUS_ID_ATTRIBUTE)


def _gpu(hardware: Hardware) -> tuple[str, str]:
    match hardware:
        case FullGpu(uuid, pci_bus_id):
            return uuid, pci_bus_id
        case Partition(gpu=uuid, pci_bus_id=pci_bus_id):
            return uuid, pci_bus_id
        case VfioFunction(pci_bus_id):
            return "", pci_bus_id
        case never:
            assert_never(never)


def _lacks(device: Device, attribute: str) -> PrepareRefusal:
    return PrepareRefusal(
        Why.UNREADABLE_DEVICE, f"device {device.name} is published without its attribute {attribute}"
    )
