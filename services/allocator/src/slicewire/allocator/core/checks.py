"""Whether a claim is sound: every problem of it, named with the field, before any device is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from slicewire.allocator.core.constraints import constraint_of
from slicewire.allocator.core.features import Features
from slicewire.allocator.core.packing.policy import policy_problem
from slicewire.common.model import (
    DeviceClass,
    DeviceRequest,
    DeviceSubRequest,
    ExactDeviceRequest,
    ResourceClaim,
)

RESULTS_LIMIT = 32
"""AllocationResultsMaxSize of resource.k8s.io/v1: devices for one claim."""
ALL = "All"
_LARGEST_COUNT = 2**63 - 1


def label(claim: ResourceClaim) -> str:
    """`namespace/name`; the name alone where there is no namespace."""
    return claim.label.removeprefix("/")


def too_many(claim: str, devices: int) -> str:
    return f"claim {claim}: number of requested devices {devices} exceeds the claim limit of {RESULTS_LIMIT}"


def problems_of(
    claim: ResourceClaim, classes: Mapping[str, DeviceClass], features: Features
) -> Iterator[str]:
    """Each check reads one claim and names what is wrong with it; the order is that of upstream."""
    for request in claim.spec.devices.requests:
        yield from _request_problems(claim, request, classes, features)
    fewest = sum(_fewest(request) for request in claim.spec.devices.requests)
    if fewest > RESULTS_LIMIT:
        yield too_many(label(claim), fewest)
    for index, written in enumerate(claim.spec.devices.constraints):
        if constraint_of(written, features.list_type_attributes) is None:
            where = f"claim {label(claim)}, constraint #{index}"
            yield f"{where}: empty constraint (unsupported constraint type?)"
    yield from _reference_problems(claim)
    yield from _unused_derivations(claim)
    if problem := policy_problem(claim):
        yield problem


def _request_problems(
    claim: ResourceClaim, request: DeviceRequest, classes: Mapping[str, DeviceClass], features: Features
) -> Iterator[str]:
    where = f"claim {label(claim)}, request {request.name}"
    if request.first_available and not features.prioritized_list:
        yield f"{where}: has subrequests, but the DRAPrioritizedList feature is disabled"
    if request.exactly is None and not request.first_available:
        yield f"{where}: has neither exactly nor firstAvailable (unsupported request type?)"
    if request.exactly and request.exactly.admin_access is not None and not features.admin_access:
        yield f"{where}: admin access is requested, but the feature is disabled"
    if request.exactly is not None:
        yield from _detail_problems(where, request.exactly, classes, features)
    for sub in request.first_available:
        where = f"claim {label(claim)}, subrequest {sub.name}"
        yield from _detail_problems(where, sub, classes, features)


def _detail_problems(
    where: str,
    asked: ExactDeviceRequest | DeviceSubRequest,
    classes: Mapping[str, DeviceClass],
    features: Features,
) -> Iterator[str]:
    if asked.derived_attributes and not features.derived_attributes:
        yield f"{where}: has derived attributes, but the DRADerivedAttributes feature is disabled"
    if asked.capacity is not None and not features.consumable_capacity:
        yield f"{where}: has capacity requests, but the DRAConsumableCapacity feature is disabled"
    for index, selector in enumerate(asked.selectors):
        if selector.cel is None:
            yield f"{where}, selector #{index}: CEL expression empty (unsupported selector type?)"
    yield from _class_problems(where, asked.device_class_name, classes)
    match asked.allocation_mode:
        case "" | "ExactCount" if asked.count < 0:
            yield f"{where}: count {asked.count} is negative"
        case "" | "ExactCount" if asked.count > _LARGEST_COUNT:
            yield f"{where}: exact count {asked.count} is too large"
        case "" | "ExactCount" | "All":
            return
        case unknown:
            yield f"{where}: unsupported count mode {unknown}"


def _class_problems(where: str, name: str, classes: Mapping[str, DeviceClass]) -> Iterator[str]:
    if not name:
        yield f"{where}: missing device class name (unsupported request type?)"
    elif name not in classes:
        yield f"{where}: could not retrieve device class {name}: there is no class of this name"
    else:
        for index, selector in enumerate(classes[name].spec.selectors):
            if selector.cel is None:
                yield f"class {name}, selector #{index}: CEL expression empty (unsupported selector type?)"


def _reference_problems(claim: ResourceClaim) -> Iterator[str]:
    """A constraint on a misspelt request would silently constrain nothing."""
    known: set[str] = set()
    for request in claim.spec.devices.requests:
        known.add(request.name)
        known.update(f"{request.name}/{sub.name}" for sub in request.first_available)
    devices = claim.spec.devices
    named = (
        *((f"constraint #{at}", part.requests) for at, part in enumerate(devices.constraints)),
        *((f"config #{at}", part.requests) for at, part in enumerate(devices.config)),
    )
    for part, requests in named:
        for name in requests:
            if name not in known:
                yield f"claim {label(claim)}, {part}: there is no request {name}"


def _unused_derivations(claim: ResourceClaim) -> Iterator[str]:
    """Derived attributes are for constraints alone: one that none looks at is a mistake."""
    used = {
        name
        for constraint in claim.spec.devices.constraints
        for name in (constraint.match_attribute, constraint.distinct_attribute)
    }
    for request in claim.spec.devices.requests:
        for asked in (*((request.exactly,) if request.exactly else ()), *request.first_available):
            for derived in asked.derived_attributes:
                if derived.name not in used:
                    where = f"claim {label(claim)}, request {request.name}"
                    yield f"{where}: derived attribute {derived.name} is used by no constraint"


def _fewest(request: DeviceRequest) -> int:
    """All may turn out to be none: how many is known on a node only."""
    if request.exactly is not None:
        return count_of(request.exactly)
    return min(count_of(sub) for sub in request.first_available)


def count_of(asked: ExactDeviceRequest | DeviceSubRequest) -> int:
    return 0 if asked.allocation_mode == ALL else asked.count or 1
