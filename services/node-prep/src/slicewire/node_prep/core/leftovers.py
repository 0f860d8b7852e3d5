"""What a CDI file tells of a claim that nobody knows any more: its devices, and so what was done for it.

A device that is not published any more, or that somebody else has made, is not ours to take back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from slicewire.common.model import (
    ClaimUID,
    DeviceAllocationConfiguration,
    DeviceName,
    DeviceRequestAllocationResult,
    OpaqueDeviceConfiguration,
    RequestName,
    wire,
)
from slicewire.common.model.struct import Object
from slicewire.node_prep.core.cdi import plain
from slicewire.node_prep.core.config import API_VERSION, Strategy
from slicewire.node_prep.core.holding import Holding
from slicewire.node_prep.core.node import Allocation, Claim, Node
from slicewire.node_prep.core.plan import PreparePlan, plan

_REQUEST = RequestName("unknown")


class _Named(Object, frozen=True):
    name: str


class _Spec(Object, frozen=True):
    devices: tuple[_Named, ...] = ()


def devices_in(uid: ClaimUID, data: bytes) -> tuple[DeviceName, ...]:
    """The claim's devices, by its CDI file; none where that cannot be read."""
    try:
        spec = wire.decode(data, _Spec)
    except wire.Malformed:
        return ()
    prefix = f"{plain(uid)}-"
    return tuple(
        DeviceName(one.name.removeprefix(prefix)) for one in spec.devices if one.name.startswith(prefix)
    )


def allocation(claim: Claim, devices: tuple[DeviceName, ...], node: Node) -> Allocation | None:
    """As if the claim held them, in the way that leaves least behind; None where nothing is to be undone
    but the file. How a GPU was shared is not known: whatever turns were set are set back."""
    if node.pool is None:
        return None
    results = tuple(
        DeviceRequestAllocationResult(request=_REQUEST, driver=node.driver, pool=node.pool, device=device)
        for device in devices
        if device in node.devices
    )
    if not results:
        return None
    turns = {
        "apiVersion": API_VERSION,
        "kind": "GpuConfig",
        "sharing": {"strategy": Strategy.TIME_SLICING.value},
    }
    config = DeviceAllocationConfiguration(
        source="FromClaim", opaque=OpaqueDeviceConfiguration(driver=node.driver, parameters=turns)
    )
    return Allocation(claim, results, (config,))


def holders(strays: Iterable[ClaimUID], node: Node) -> Iterator[Holding]:
    """What claims hold that are prepared, are still in the ledger, and have lost their checkpoint."""
    for uid in strays:
        allocation = node.allocation(uid)
        made = plan(allocation, node, ()) if allocation is not None else None
        if isinstance(made, PreparePlan):
            yield from (Holding(made.claim, device) for device in made.devices if not device.admin_access)
