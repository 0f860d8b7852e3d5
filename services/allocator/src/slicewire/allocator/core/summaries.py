"""What is left of a pool, as a ResourcePoolStatusRequest tells it: partitions by type, shares by amount.

Counts what counters and capacities allow. Refuses to ask who would be let near the devices: taints and
selectors are for the claims that come.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

from slicewire.allocator.core.constraints import lookup
from slicewire.allocator.core.counters import left_by
from slicewire.allocator.core.holdings import Amount, Usage
from slicewire.allocator.core.stock import Candidate, CounterName, Pool
from slicewire.common.model import DeviceAttribute, Quantity
from slicewire.common.model.census import (
    PartitionTypeStatus,
    ShareableCapacityStatus,
    ShareableSummaryStatus,
)

PROFILE = "profile"
"""The attribute that names a partition's shape, unless its slice names another."""
MOST_ENTRIES = 32
"""So many types, and so many capacities, does Kubernetes let a summary have."""

_Type = tuple[str, str]
"""The full name of the attribute, and its value."""


def partition_summary(pool: Pool, usage: Usage) -> tuple[PartitionTypeStatus, ...]:
    """By attribute and type. Types compete for the counters: each is counted as if only it were asked for."""
    if not pool.counters:
        return ()
    types: dict[_Type, list[Candidate]] = {}
    for candidate in pool.devices:
        if candidate.draws and (of := _type(candidate)) is not None:
            types.setdefault(of, []).append(candidate)
    return tuple(
        PartitionTypeStatus(
            type=value,
            total=len(members),
            allocatable=_allocatable(members, pool, usage),
            attribute=attribute,
        )
        for (attribute, value), members in sorted(types.items())[:MOST_ENTRIES]
    )


def _type(candidate: Candidate) -> _Type | None:
    """None for a device that does not say its type."""
    attribute = candidate.slice.partition_type_attribute or f"{candidate.id.driver}/{PROFILE}"
    found = lookup(candidate, attribute)
    value = None if found is None else _text(found)
    return None if value is None else (attribute, value)


def _text(attribute: DeviceAttribute) -> str | None:
    """A list names no type."""
    if attribute.bool_value is not None:
        return str(attribute.bool_value).lower()
    if attribute.int_value is not None:
        return str(attribute.int_value)
    return attribute.string if attribute.string is not None else attribute.version


def _allocatable(members: Iterable[Candidate], pool: Pool, usage: Usage) -> int:
    """One after another in their order; for slots side by side that is the most there can be."""
    left = dict(left_by(usage, pool))
    if any(amount < 0 for amount in left.values()):
        return 0  # an overdrawn counter blocks its whole pool
    return sum(_takes(candidate, left) for candidate in members if not _is_used(candidate, usage))


def _takes(candidate: Candidate, left: dict[CounterName, Amount]) -> bool:
    if any(amount > left[name] for name, amount in candidate.draws.items()):
        return False
    for name, amount in candidate.draws.items():
        left[name] -= amount
    return True


def _is_used(candidate: Candidate, usage: Usage) -> bool:
    return candidate.id.device in usage.dedicated or candidate.id.device in usage.shared


def shareable_summary(pool: Pool, usage: Usage) -> ShareableSummaryStatus | None:
    """None where no device can be shared."""
    shareable = [candidate for candidate in pool.devices if candidate.shareable]
    if not shareable:
        return None
    totals, consumed = dict[str, Amount](), dict[str, Amount]()
    fully = partially = 0
    for candidate in shareable:
        taken = _consumed(candidate, usage)
        for name, capacity in candidate.device.capacity.items():
            totals[name] = totals.get(name, 0) + capacity.value.value
            consumed[name] = consumed.get(name, 0) + taken.get(name, 0)
        is_touched = any(taken.values()) or candidate.id.device in usage.dedicated
        fully += not is_touched
        partially += is_touched and not _is_used_up(candidate, taken, usage)
    return ShareableSummaryStatus(
        fully_available_devices=fully,
        partially_available_devices=partially,
        capacity=tuple(
            _capacity(name, totals[name], consumed[name]) for name in sorted(totals)[:MOST_ENTRIES]
        ),
    )


def _consumed(candidate: Candidate, usage: Usage) -> Mapping[str, Amount]:
    """Of a device that was given away whole, before it could be shared, everything."""
    if candidate.id.device in usage.dedicated:
        return {name: capacity.value.value for name, capacity in candidate.device.capacity.items()}
    share = usage.shared.get(candidate.id.device)
    return share.consumed if share else {}


def _is_used_up(candidate: Candidate, taken: Mapping[str, Amount], usage: Usage) -> bool:
    if candidate.id.device in usage.dedicated:
        return True
    return all(taken.get(name, 0) >= each.value.value for name, each in candidate.device.capacity.items())


def _capacity(name: str, total: Amount, consumed: Amount) -> ShareableCapacityStatus:
    total, consumed = Fraction(total), Fraction(consumed)
    return ShareableCapacityStatus(
        name=name,
        total=Quantity.of(total),
        consumed=Quantity.of(consumed),
        available=Quantity.of(max(total - consumed, Fraction(0))),
    )
