"""Consumable capacity: how much of a device a request takes, and whether that much is left.

Exact throughout: a step or a limit may be any fraction of a unit.
"""

from __future__ import annotations

from collections.abc import Mapping

from slicewire.allocator.core.holdings import Amount
from slicewire.allocator.core.objections import Objection, text
from slicewire.common.model import (
    CapacityRequestPolicy,
    CapacityRequestPolicyRange,
    Device,
    DeviceCapacity,
    Quantity,
    Rule,
)

Consumption = Mapping[str, Amount]


class NoSuchCapacity(Objection, frozen=True):
    """The request names a capacity that the device does not have."""

    RULE = Rule.CAPACITY
    name: str

    def __str__(self) -> str:
        return f"has no capacity {self.name}"


class AgainstPolicy(Objection, frozen=True):
    """The device does not give out this amount."""

    RULE = Rule.CAPACITY
    name: str
    amount: Amount

    def __str__(self) -> str:
        return f"does not give out {text(self.amount)} of capacity {self.name}"


class CapacityShort(Objection, frozen=True):
    """The amount is more than what is left."""

    RULE = Rule.CAPACITY
    name: str
    amount: Amount
    left: Amount

    def __str__(self) -> str:
        return f"capacity {self.name} is short by {text(self.amount - self.left)}"


def consumption(
    requested: Mapping[str, Quantity], device: Device
) -> Consumption | NoSuchCapacity | AgainstPolicy:
    """What a share takes of every capacity of the device: all of them, whether asked for or not."""
    for name in requested:
        if name not in device.capacity:
            return NoSuchCapacity(name)
    consumed: dict[str, Amount] = {}
    for name, capacity in device.capacity.items():
        amount = _rounded(requested.get(name), capacity)
        if not _allowed(amount, capacity.request_policy):
            return AgainstPolicy(name, amount)
        consumed[name] = amount
    return consumed


def shortage(consumed: Consumption, device: Device, *in_use: Consumption) -> CapacityShort | None:
    """The first capacity of which less is left than would be consumed."""
    for name, amount in consumed.items():
        left = device.capacity[name].value.value - sum(used.get(name, 0) for used in in_use)
        if amount > left:
            return CapacityShort(name, amount, left)
    return None


def _rounded(requested: Quantity | None, capacity: DeviceCapacity) -> Amount:
    policy = capacity.request_policy
    if requested is None:
        return policy.default.value if policy and policy.default else capacity.value.value
    if policy is None:
        return requested.value
    if policy.valid_range is not None:
        return _rounded_into(policy.valid_range, requested.value)
    return min((v.value for v in policy.valid_values if v >= requested), default=requested.value)


def _rounded_into(valid: CapacityRequestPolicyRange, requested: Amount) -> Amount:
    low = _lowest(valid)
    if requested <= low:
        return low
    if not valid.step or not valid.step.value:
        return requested
    steps = -((low - requested) // valid.step.value)
    return low + steps * valid.step.value


def _allowed(amount: Amount, policy: CapacityRequestPolicy | None) -> bool:
    """The default is always allowed, however it is written."""
    if policy is None or (policy.default and amount == policy.default.value):
        return True
    if policy.valid_range is not None:
        return _in_range(amount, policy.valid_range)
    return not policy.valid_values or any(amount == value.value for value in policy.valid_values)


def _in_range(amount: Amount, valid: CapacityRequestPolicyRange) -> bool:
    if valid.max and amount > valid.max.value:
        return False
    return not (valid.step and valid.step.value and (amount - _lowest(valid)) % valid.step.value)


def _lowest(valid: CapacityRequestPolicyRange) -> Amount:
    return valid.min.value if valid.min else 0
