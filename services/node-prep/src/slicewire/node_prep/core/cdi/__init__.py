"""A plan and the node → the CDI spec that a container runtime reads, as a value.

It writes no file and knows no directory. The rules are those of the CDI specification and of
NVIDIA's own specs, so that a container cannot tell who prepared it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from slicewire.common.model import ClaimUID, DeviceName
from slicewire.node_prep.core.cdi import names
from slicewire.node_prep.core.cdi.document import (
    CdiDevice,
    CdiDeviceNode,
    CdiHook,
    CdiMount,
    CdiSpec,
    ContainerEdits,
    encode,
    spec_of,
)
from slicewire.node_prep.core.cdi.installation import NOTHING_ELSE, installation
from slicewire.node_prep.core.cdi.names import KIND, claim_of, file_name, plain, strays
from slicewire.node_prep.core.cdi.parts import Part, Passthrough, edits_of, part_of
from slicewire.node_prep.core.driver import Driver, DriverAbsent
from slicewire.node_prep.core.hardware import PlannedDevice
from slicewire.node_prep.core.plan import PreparePlan
from slicewire.node_prep.core.refusal import PrepareRefusal

__all__ = [
    "KIND",
    "CdiDevice",
    "CdiDeviceNode",
    "CdiHook",
    "CdiMount",
    "CdiSpec",
    "ContainerEdits",
    "Part",
    "Passthrough",
    "claim_of",
    "claim_spec",
    "device_id",
    "encode",
    "file_name",
    "plain",
    "spec",
    "spec_of",
    "strays",
]

Extra = Mapping[DeviceName, ContainerEdits]
"""What a device needs besides: of how it is shared."""
_NO_EXTRA: Extra = MappingProxyType({})


def device_id(claim: ClaimUID, planned: PlannedDevice) -> str:
    """What the kubelet hands to the runtime, which finds the device in the spec by it."""
    return names.device_id(claim, planned.device)


def spec(
    plan: PreparePlan, node: Driver | DriverAbsent, extra: Extra = _NO_EXTRA
) -> CdiSpec | PrepareRefusal:
    """All of the plan's devices, or the reason why one of them cannot be had."""
    parts = {planned.device: part_of(planned) for planned in plan.devices}
    return claim_spec(plan.claim.uid, parts, node, extra)


def claim_spec(
    claim: ClaimUID, parts: Mapping[DeviceName, Part], node: Driver | DriverAbsent, extra: Extra = _NO_EXTRA
) -> CdiSpec | PrepareRefusal:
    """A driver that is absent matters only to devices that need one."""
    devices = []
    for device, part in parts.items():
        edits = edits_of(device, part, node)
        if isinstance(edits, PrepareRefusal):
            return edits
        name = names.device_name(claim, device)
        devices.append(CdiDevice(name=name, container_edits=edits + extra.get(device, ContainerEdits())))
    if isinstance(node, Driver) and any(not isinstance(part, Passthrough) for part in parts.values()):
        return spec_of(KIND, devices, installation(node))
    return spec_of(KIND, devices, NOTHING_ELSE)
