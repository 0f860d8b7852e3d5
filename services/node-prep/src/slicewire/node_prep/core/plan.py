"""An allocation → the plan that makes its devices usable, or the reason why not.

A plan has no choices left in it: whoever carries it out asks nobody anything. The journal keeps it,
so that it can be carried out again after a reboot, and undone.
"""

from __future__ import annotations

import re

import msgspec

from slicewire.common.model import Device, DeviceName, DeviceRequestAllocationResult, DriverName
from slicewire.common.model.naming import GpuName, MigName, parsed
from slicewire.common.model.struct import Object
from slicewire.node_prep.core import hardware, kinds, mps
from slicewire.node_prep.core.config import BadConfig, Configuration, read
from slicewire.node_prep.core.described import described
from slicewire.node_prep.core.hardware import PlannedDevice
from slicewire.node_prep.core.holding import Holders, in_the_way
from slicewire.node_prep.core.node import Allocation, Claim, Node, short
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from slicewire.node_prep.core.steps import Step, WriteCdiFile, WriteMetadata

_UID = re.compile(r"[A-Za-z0-9]((\.?[A-Za-z0-9-])*\.?[A-Za-z0-9])?")
_LONGEST_UID = 128
"""A UID becomes part of a file name, of a CDI device name (first and last alphanumeric) and of a subject."""


class PreparePlan(Object, frozen=True):
    """The devices, and the steps in their order. Undone in reverse."""

    claim: Claim
    devices: tuple[PlannedDevice, ...]
    steps: tuple[Step, ...] = ()

    @property
    def device_names(self) -> tuple[DeviceName, ...]:
        return tuple(dict.fromkeys(planned.device for planned in self.devices))

    @property
    def gpus(self) -> tuple[str, ...]:
        """What its devices must be locked by."""
        return tuple(lock for one in self.devices for lock in _locks(one.device, one.hardware.pci_bus_id))

    def is_for(self, allocation: Allocation, driver: DriverName) -> bool:
        """False when the claim has been given other devices since."""
        given = {
            (result.pool, result.device, result.share_id)
            for result in allocation.results
            if result.driver == driver
        }
        return given == {(one.pool, one.device, one.share and one.share.id) for one in self.devices}


def described_too(made: PreparePlan, allocation: Allocation, node: Node) -> PreparePlan:
    """The same plan, and its containers can read what their devices are."""
    write = WriteMetadata(described=described(allocation, node))
    *others, last = made.steps
    return msgspec.structs.replace(made, steps=(*others, write, last))


def gpus_of(allocation: Allocation, node: Node) -> tuple[str, ...]:
    """What the devices must be locked by: all devices of one GPU have a lock in common."""
    published = ((result.device, node.devices.get(result.device)) for result in allocation.results)
    return tuple(
        lock
        for name, device in published
        for lock in _locks(name, "" if device is None else hardware.bus_id(device))
    )


def _locks(device: DeviceName, pci_bus_id: str) -> tuple[str, ...]:
    """The name serves where no place is known; numbers of devices for virtual machines are others."""
    match parsed(device):
        case GpuName(number) | MigName(number):
            name = f"gpu-{number}"
        case _:
            name = str(device)
    return (name, f"pci-{pci_bus_id}") if pci_bus_id else (name,)


def plan(allocation: Allocation, node: Node, holders: Holders) -> PreparePlan | PrepareRefusal:
    """`holders` are those of the other claims: what this claim holds already is not in its way."""
    if refusal := wrong_claim(allocation.claim):
        return refusal
    configuration = read(allocation.config, node.driver)
    if isinstance(configuration, BadConfig):
        return PrepareRefusal(Why.CONFIG, configuration.reason)
    holders = tuple(holders)
    planned: list[PlannedDevice] = []
    for result in allocation.results:
        if result.driver != node.driver:
            continue
        found = _device(result, node, configuration)
        if isinstance(found, PrepareRefusal):
            return found
        if refusal := _rivals(allocation.claim, found, node) or in_the_way(found, holders):
            return refusal
        planned.append(found)
    devices = _merged(planned)
    if isinstance(devices, PrepareRefusal):
        return devices
    return _complete(allocation.claim, devices, node, holders)


def wrong_claim(claim: Claim) -> PrepareRefusal | None:
    if len(claim.uid) <= _LONGEST_UID and _UID.fullmatch(claim.uid):
        return None
    return PrepareRefusal(
        Why.WRONG_CLAIM,
        f"claim {claim.label}: {short(claim.uid)!r} cannot be a claim UID:"
        f" 1 to {_LONGEST_UID} letters, digits, '-' and single '.', first and last a letter or digit",
    )


def _complete(
    claim: Claim, devices: tuple[PlannedDevice, ...], node: Node, holders: Holders
) -> PreparePlan | PrepareRefusal:
    if not devices:
        return PrepareRefusal(
            Why.UNKNOWN_CLAIM, f"claim {claim} holds no device of {node.driver} on node {node.name}"
        )
    together: dict[Step, None] = {}
    for steps in (*map(kinds.steps, devices), mps.steps(devices, holders)):
        if isinstance(steps, PrepareRefusal):
            return steps
        together |= dict.fromkeys(steps)
    return PreparePlan(claim=claim, devices=devices, steps=(*together, WriteCdiFile(claim=claim.uid)))


def _device(
    result: DeviceRequestAllocationResult, node: Node, configuration: Configuration
) -> PlannedDevice | PrepareRefusal:
    device = _published(result, node)
    if isinstance(device, PrepareRefusal):
        return device
    kind = hardware.device_type(device)
    if isinstance(kind, PrepareRefusal):
        return kind
    made_of = hardware.hardware(device, kind)
    if isinstance(made_of, PrepareRefusal):
        return made_of
    config = configuration.of(result.request, kind)
    if isinstance(config, BadConfig):
        return PrepareRefusal(Why.CONFIG, f"device {device.name}: {config.reason}")
    return PlannedDevice(
        device=device.name,
        pool=result.pool,
        request_names=(result.request.partition("/")[0],),
        hardware=made_of,
        config=config,
        admin_access=bool(result.admin_access),
        share=hardware.share(result),
    )


def _published(result: DeviceRequestAllocationResult, node: Node) -> Device | PrepareRefusal:
    if node.pool is None:
        return PrepareRefusal(
            Why.BUSY, f"the devices of {node.driver} on node {node.name} have not been heard of yet"
        )
    if result.pool != node.pool:
        return PrepareRefusal(
            Why.OTHER_NODE, f"device {result.device_id} is not in pool {node.pool} of node {node.name}"
        )
    if reason := node.unreadable.get(result.device):
        return PrepareRefusal(Why.UNREADABLE_DEVICE, f"device {result.device_id} cannot be read: {reason}")
    device = node.devices.get(result.device)
    if device is None:
        unread = "".join(f"; {what} cannot be read: {reason}" for what, reason in node.unreadable.items())
        return PrepareRefusal(
            Why.UNKNOWN_DEVICE,
            f"device {result.device_id} is not in the inventory of node {node.name}{unread}",
        )
    return device


def _rivals(claim: Claim, planned: PlannedDevice, node: Node) -> PrepareRefusal | None:
    if planned.admin_access:
        return None
    rivals = node.rivals.get(planned.device, ())
    if any(rival.uid == claim.uid for rival in rivals[1:]):
        return PrepareRefusal(
            Why.CONFLICT,
            f"device {planned.device} is also allocated to claim {rivals[0]}, which had it first",
        )
    return None


def _merged(planned: list[PlannedDevice]) -> tuple[PlannedDevice, ...] | PrepareRefusal:
    """One device may serve several requests of a claim; then they must agree on how."""
    merged: dict[tuple[DeviceName, str], PlannedDevice] = {}
    configs = {one.device: one.config for one in planned}
    for found in planned:
        if found.config != configs[found.device]:
            return PrepareRefusal(
                Why.CONFLICT,
                f"conflicting configuration: the requests of the claim do not agree on how"
                f" device {found.device} is shared",
            )
        key = (found.device, "" if found.share is None else found.share.id)
        known = merged.get(key)
        merged[key] = found if known is None else _for_both(known, found)
    return tuple(merged.values())


def _for_both(known: PlannedDevice, found: PlannedDevice) -> PlannedDevice:
    return msgspec.structs.replace(
        known,
        request_names=tuple(dict.fromkeys(known.request_names + found.request_names)),
        admin_access=known.admin_access and found.admin_access,
    )
