"""How much there is: devices of each class and profile, on each node, free and placeable now.

Free is what nobody holds and no taint keeps back. Placeable is how many claims for one such device
would get it one after another: partitions of one GPU are free all at once, and placeable only as far
as their counters go.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from slicewire.allocator.core.features import DEFAULT, Features
from slicewire.allocator.core.holdings import Usage
from slicewire.allocator.core.search import allocate
from slicewire.allocator.core.selectors import selection_of
from slicewire.allocator.core.snapshot import Holding, Snapshot
from slicewire.allocator.core.stock import Candidate, Pool
from slicewire.allocator.core.summaries import PROFILE, partition_summary, shareable_summary
from slicewire.allocator.core.taints import untolerated
from slicewire.common.model import (
    CELDeviceSelector,
    ClaimUID,
    DeviceClaim,
    DeviceClass,
    DeviceRequest,
    DeviceSelector,
    ExactDeviceRequest,
    NodeName,
    ObjectMeta,
    ResourceClaim,
    ResourceClaimSpec,
)
from slicewire.common.model.census import ClassCapacity, PoolStatus

MOST_PROBED = 512
"""Placeable devices are counted up to this many per node, class and profile."""
_LONGEST_ERROR = 256
"""Characters of a `validationError`."""


def capacity_of(
    snapshot: Snapshot, node: NodeName, device_class: DeviceClass, features: Features = DEFAULT
) -> tuple[ClassCapacity, ...]:
    """One row for each profile of the class on the node, by name; none where the class has no device."""
    found = [c for c in snapshot.stock(node, features).candidates if _is_of(device_class, c)]
    rows = []
    for profile, group in groupby(sorted(found, key=_profile), key=_profile):
        members = tuple(group)
        rows.append(
            ClassCapacity(
                device_class=device_class.metadata.name,
                profile=profile,
                node=node,
                devices=len(members),
                free=sum(_is_free(member, snapshot) for member in members),
                placeable=_placeable(snapshot, node, device_class, profile),
            )
        )
    return tuple(rows)


def pool_statuses(snapshot: Snapshot, node: NodeName, features: Features = DEFAULT) -> tuple[PoolStatus, ...]:
    """The node's pools, in the shape in which a ResourcePoolStatusRequest is answered."""
    return tuple(_status(pool, node, snapshot) for pool in snapshot.stock(node, features).pools)


def _status(pool: Pool, node: NodeName, snapshot: Snapshot) -> PoolStatus:
    """A device is allocated, or else available, or else unavailable; one with shares is allocated."""
    usage = snapshot.usage(pool.id)
    used = usage.dedicated.keys() | usage.shared.keys()
    devices = pool.devices if pool.is_usable else ()
    free = [each for each in devices if each.id.device not in used]
    available = sum(_is_free(each, snapshot) for each in free)
    first = next((candidate.slice.pool for candidate in pool.devices), None)
    return PoolStatus(
        driver=pool.id.driver,
        pool_name=pool.id.pool,
        node_name=node,
        total_devices=len(devices),
        allocated_devices=len(devices) - len(free),
        available_devices=available,
        unavailable_devices=len(free) - available,
        resource_slice_count=first.resource_slice_count if first else None,
        generation=first.generation if first else 0,
        validation_error=None if pool.is_usable else pool.reason[:_LONGEST_ERROR],
        partition_summary=partition_summary(pool, usage) if pool.is_usable else (),
        shareable_summary=shareable_summary(pool, usage) if pool.is_usable else None,
    )


def _is_of(device_class: DeviceClass, candidate: Candidate) -> bool:
    """A selector that fails on the device does not take it into the class."""
    selection = selection_of(device_class, "", ())
    objection = getattr(selection, "objection", None)
    return candidate.in_reach and objection is not None and objection(candidate) is None


def _profile(candidate: Candidate) -> str:
    attribute = candidate.device.attributes.get(PROFILE)
    return attribute.string or "" if attribute else ""


def _is_free(candidate: Candidate, snapshot: Snapshot) -> bool:
    usage: Usage = snapshot.usage(candidate.pool_id)
    held = candidate.id.device in usage.dedicated
    return not held and untolerated(candidate.device.taints, ()) is None


def _placeable(snapshot: Snapshot, node: NodeName, device_class: DeviceClass, profile: str) -> int:
    return sum(1 for _ in _placed(snapshot, node, _probe(device_class, profile)))


def _placed(snapshot: Snapshot, node: NodeName, probe: ResourceClaim) -> Iterator[None]:
    """Claim after claim for one device, each beside those before it."""
    for number in range(MOST_PROBED):
        answer = allocate([probe], snapshot, node)
        if not isinstance(answer, tuple):
            return
        (result,) = answer[0].devices.results
        holding = Holding(ClaimUID(f"probe-{number}"), "", (result,))
        held = snapshot.holdings(node, result.driver)
        snapshot = snapshot.with_holdings(node, result.driver, (*held, holding))
        yield


def _probe(device_class: DeviceClass, profile: str) -> ResourceClaim:
    exactly = ExactDeviceRequest(
        device_class_name=device_class.metadata.name, selectors=_only(profile), count=1
    )
    request = DeviceRequest(name="probe", exactly=exactly)
    spec = ResourceClaimSpec(devices=DeviceClaim(requests=(request,)))
    return ResourceClaim(metadata=ObjectMeta(name="probe", uid="probe"), spec=spec)


def _only(profile: str) -> tuple[DeviceSelector, ...]:
    if not profile:
        return ()
    text = profile.replace("\\", "\\\\").replace('"', '\\"')
    expression = f'device.attributes[device.driver].?{PROFILE}.orValue("") == "{text}"'
    return (DeviceSelector(cel=CELDeviceSelector(expression=expression)),)
