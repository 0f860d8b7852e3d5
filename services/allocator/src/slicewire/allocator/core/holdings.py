"""What claims already hold in a pool, and which devices that leaves in use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

import msgspec

from slicewire.common.model import ClaimUID, DeviceName, DeviceRequestAllocationResult

Amount = int | Fraction
"""The exact value of a quantity."""


class Holding(msgspec.Struct, frozen=True):
    """What one claim holds in one pool; `label` is how people call the claim."""

    claim: ClaimUID
    label: str
    results: tuple[DeviceRequestAllocationResult, ...] = ()


class Shared(msgspec.Struct, frozen=True):
    """A device that claims hold shares of."""

    claims: tuple[str, ...]
    consumed: Mapping[str, Amount]


class Usage(msgspec.Struct, frozen=True, eq=False):
    """The devices of one pool that are in use: whole ones by claim, shared ones by consumption."""

    dedicated: Mapping[DeviceName, str] = {}
    shared: Mapping[DeviceName, Shared] = {}


UNUSED = Usage()


def usage_of(holdings: Iterable[Holding]) -> Usage:
    """Results with admin access hold nothing: they look at devices that others use."""
    dedicated: dict[DeviceName, str] = {}
    shared: dict[DeviceName, Shared] = {}
    for holding in holdings:
        for result in holding.results:
            if result.admin_access:
                continue
            if result.share_id is None and not result.consumed_capacity:
                dedicated.setdefault(result.device, holding.label)
            else:
                shared[result.device] = _with_share(shared.get(result.device), holding.label, result)
    return Usage(dedicated, shared)


def _with_share(so_far: Shared | None, label: str, result: DeviceRequestAllocationResult) -> Shared:
    consumed = dict(so_far.consumed) if so_far else {}
    for name, quantity in result.consumed_capacity.items():
        consumed[name] = consumed.get(name, 0) + quantity.value
    return Shared((*(so_far.claims if so_far else ()), label), consumed)
