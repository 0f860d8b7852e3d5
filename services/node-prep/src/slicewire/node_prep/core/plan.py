"""An allocation → the plan that makes its devices usable, or the reason why not.

A plan has no choices left in it: whoever carries it out asks nobody anything. The checkpoint keeps
it, so that it can be carried out again after a reboot, and undone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from slicewire.common.model import Device, DeviceName, DeviceRequestAllocationResult, DriverName, PoolName
from slicewire.common.model.naming import gpu_minor
from slicewire.common.model.struct import Object
from slicewire.node_prep.core.config import BadConfig, Configuration, DeviceType, GpuConfig, read
from slicewire.node_prep.core.node import Allocation, Claim, Node
from slicewire.node_prep.core.refusal import PrepareRefusal, Why

_UID = re.compile(r"[A-Za-z0-9]((\.?[A-Za-z0-9-])*\.?[A-Za-z0-9])?")
_LONGEST_UID = 128
"""A UID becomes part of a file name, of a CDI device name (first and last alphanumeric) and of a subject."""
_STRATEGIES = ("TimeSlicing", "MPS")

Holders = Mapping[DeviceName, Claim]
"""Which claim has reserved or prepared which device, for itself alone."""


class FullGpu(Object, frozen=True, tag_field="kind", tag="gpu"):
    """A whole GPU, for one claim alone: nothing is done to the hardware."""

    minor: int
    uuid: str = ""
    pci_bus_id: str = ""


Hardware = FullGpu
"""What a device is made of: one struct per way of preparing, told apart by its tag."""


class PlannedDevice(Object, frozen=True):
    device: DeviceName
    pool: PoolName
    request_names: tuple[str, ...]
    hardware: Hardware
    admin_access: bool = False


class PreparePlan(Object, frozen=True):
    claim: Claim
    devices: tuple[PlannedDevice, ...]

    @property
    def device_names(self) -> tuple[DeviceName, ...]:
        return tuple(planned.device for planned in self.devices)

    def is_for(self, allocation: Allocation, driver: DriverName) -> bool:
        """False when the claim has been given other devices since."""
        given = {(result.pool, result.device) for result in allocation.results if result.driver == driver}
        return given == {(planned.pool, planned.device) for planned in self.devices}


def plan(allocation: Allocation, node: Node, holders: Holders) -> PreparePlan | PrepareRefusal:
    """`holders` are those of the other claims: what this claim holds already is not in its way."""
    if refusal := wrong_claim(allocation.claim):
        return refusal
    configuration = read(allocation.config, node.driver)
    if isinstance(configuration, BadConfig):
        return PrepareRefusal(Why.CONFIG, configuration.reason)
    planned: dict[DeviceName, PlannedDevice] = {}
    for result in allocation.results:
        if result.driver != node.driver:
            continue
        found = _device(allocation.claim, result, node, holders)
        if isinstance(found, PrepareRefusal):
            return found
        if refusal := _configured(found, result, configuration):
            return refusal
        planned[found.device] = _merged(planned.get(found.device), found)
    if not planned:
        return PrepareRefusal(
            Why.UNKNOWN_CLAIM,
            f"claim {allocation.claim} holds no device of {node.driver} on node {node.name}",
        )
    return PreparePlan(claim=allocation.claim, devices=tuple(planned.values()))


def wrong_claim(claim: Claim) -> PrepareRefusal | None:
    if len(claim.uid) <= _LONGEST_UID and _UID.fullmatch(claim.uid):
        return None
    return PrepareRefusal(
        Why.WRONG_CLAIM,
        f"claim {claim.namespace}/{claim.name}: {claim.uid!r} cannot be a claim UID:"
        f" 1 to {_LONGEST_UID} letters, digits, '-' and single '.', first and last a letter or digit",
    )


def _device(
    claim: Claim, result: DeviceRequestAllocationResult, node: Node, holders: Holders
) -> PlannedDevice | PrepareRefusal:
    device = _published(result, node)
    if isinstance(device, PrepareRefusal):
        return device
    admin = bool(result.admin_access)
    if not admin and (refusal := _taken(claim, device.name, node, holders)):
        return refusal
    hardware = _hardware(device, result)
    if isinstance(hardware, PrepareRefusal):
        return hardware
    return PlannedDevice(
        device=device.name,
        pool=result.pool,
        request_names=(result.request.partition("/")[0],),
        hardware=hardware,
        admin_access=admin,
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


def _taken(claim: Claim, device: DeviceName, node: Node, holders: Holders) -> PrepareRefusal | None:
    """The last line of defence: whoever allocated it twice, it is prepared once."""
    rivals = node.rivals.get(device, ())
    if any(rival.uid == claim.uid for rival in rivals[1:]):
        return PrepareRefusal(
            Why.CONFLICT, f"device {device} is also allocated to claim {rivals[0]}, which had it first"
        )
    holder = holders.get(device)
    if holder is not None and holder.uid != claim.uid:
        return PrepareRefusal(
            Why.HELD_BY_ANOTHER,
            f"requested device {device} is already allocated to different claim {holder.uid}",
        )
    return None


def _hardware(device: Device, result: DeviceRequestAllocationResult) -> Hardware | PrepareRefusal:
    kind = _text(device, "type")
    minor = gpu_minor(device.name)
    if kind != DeviceType.GPU or minor is None:
        return PrepareRefusal(
            Why.UNSUPPORTED, f'device {device.name} is of type "{kind}"; only whole GPUs can be prepared yet'
        )
    if result.share_id is not None:
        return PrepareRefusal(
            Why.UNSUPPORTED,
            f"device {device.name} is allocated in shares; only whole GPUs can be prepared yet",
        )
    return FullGpu(
        minor=minor, uuid=_text(device, "uuid"), pci_bus_id=_text(device, "resource.kubernetes.io/pciBusID")
    )


def _text(device: Device, attribute: str) -> str:
    found = device.attributes.get(attribute)
    return (found.string or "") if found is not None else ""


def _configured(
    planned: PlannedDevice, result: DeviceRequestAllocationResult, configuration: Configuration
) -> PrepareRefusal | None:
    """A whole GPU that nobody shares is the default; nothing else can be applied yet."""
    config = configuration.of(result.request, DeviceType.GPU)
    if isinstance(config, BadConfig):
        return PrepareRefusal(Why.CONFIG, f"device {planned.device}: {config.reason}")
    assert isinstance(config, GpuConfig), "the configuration of a GPU is a GpuConfig or bad"
    if config.sharing is None:
        return None
    strategy = config.sharing.strategy
    if strategy not in _STRATEGIES:
        return PrepareRefusal(
            Why.CONFIG,
            f"unknown GPU sharing strategy: {strategy},"
            f" supported GPU sharing strategies: {', '.join(_STRATEGIES)}",
        )
    return PrepareRefusal(
        Why.UNSUPPORTED,
        f"GpuConfig for request {result.request} asks for sharing.strategy {strategy}, which cannot be"
        " applied yet: leave out sharing to get the whole GPU",
    )


def _merged(known: PlannedDevice | None, found: PlannedDevice) -> PlannedDevice:
    """One device may serve several requests of a claim."""
    if known is None:
        return found
    names = known.request_names + tuple(n for n in found.request_names if n not in known.request_names)
    return msgspec.structs.replace(
        known, request_names=names, admin_access=known.admin_access and found.admin_access
    )
