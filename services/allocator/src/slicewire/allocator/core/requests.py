"""What claims ask for, checked and spread out: the order in which the search goes through it.

Every fault found here is the claim's own or its class's: no node can make it right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from slicewire.allocator.core.checks import ALL, count_of, label, problems_of
from slicewire.allocator.core.derived import Derivation, derivations_of
from slicewire.allocator.core.faults import Fault
from slicewire.allocator.core.features import Features
from slicewire.allocator.core.selectors import Selection, selection_of
from slicewire.allocator.core.stock import Candidate
from slicewire.common.model import (
    DeviceAttribute,
    DeviceClass,
    DeviceRequest,
    DeviceSubRequest,
    DeviceToleration,
    ExactDeviceRequest,
    Quantity,
    RequestName,
    ResourceClaim,
)


class Alternative(msgspec.Struct, frozen=True, eq=False):
    """One way to satisfy a request. A request without `firstAvailable` has exactly one."""

    claim: str
    claim_index: int
    name: RequestName
    device_class: DeviceClass
    selection: Selection
    count: int
    """How many devices; meaningless where all are taken."""
    takes_all: bool
    admin_access: bool
    tolerations: tuple[DeviceToleration, ...]
    capacity: Mapping[str, Quantity]
    derivations: tuple[Derivation, ...] = ()

    def derived(self, attribute: str, candidate: Candidate) -> DeviceAttribute | Fault | None:
        """The attribute as this request derives it of the device; None where it does not."""
        for derivation in self.derivations:
            if derivation.name == attribute:
                return derivation.of(candidate)
        return None

    def __str__(self) -> str:
        return f"claim {self.claim}, request {self.name}"


class Wanted(msgspec.Struct, frozen=True, eq=False):
    """One request of one claim: its alternatives, best first."""

    claim_index: int
    alternatives: tuple[Alternative, ...]


class Demand(msgspec.Struct, frozen=True, eq=False):
    """Everything that several claims ask for together, in the order in which it is looked for."""

    claims: tuple[ResourceClaim, ...]
    requests: tuple[Wanted, ...]


def read(
    claims: Sequence[ResourceClaim], classes: Mapping[str, DeviceClass], features: Features
) -> Demand | Fault:
    """Check everything first, then compile: a selector is looked at only in a claim that is sound."""
    for claim in claims:
        for problem in problems_of(claim, classes, features):
            return Fault(problem)
    requests: list[Wanted] = []
    for index, claim in enumerate(claims):
        for request in claim.spec.devices.requests:
            match _wanted(index, claim, request, classes):
                case Fault() as fault:
                    return fault
                case wanted:
                    requests.append(wanted)
    return Demand(tuple(claims), tuple(requests))


def _wanted(
    index: int, claim: ResourceClaim, request: DeviceRequest, classes: Mapping[str, DeviceClass]
) -> Wanted | Fault:
    asked: list[tuple[str, ExactDeviceRequest | DeviceSubRequest]] = [
        (f"{request.name}/{sub.name}", sub) for sub in request.first_available
    ]
    if request.exactly is not None:
        asked = [(request.name, request.exactly)]
    alternatives: list[Alternative] = []
    for name, details in asked:
        device_class = classes[details.device_class_name]
        derivations = derivations_of(details.derived_attributes, f"claim {label(claim)}, request {name}")
        if isinstance(derivations, Fault):
            return derivations
        match selection_of(device_class, label(claim), details.selectors):
            case Fault() as fault:
                return fault
            case selection:
                alternatives.append(
                    Alternative(
                        claim=label(claim),
                        claim_index=index,
                        name=RequestName(name),
                        device_class=device_class,
                        selection=selection,
                        count=count_of(details),
                        takes_all=details.allocation_mode == ALL,
                        admin_access=isinstance(details, ExactDeviceRequest) and bool(details.admin_access),
                        tolerations=details.tolerations,
                        capacity=details.capacity.requests if details.capacity else {},
                        derivations=derivations,
                    )
                )
    return Wanted(index, tuple(alternatives))
