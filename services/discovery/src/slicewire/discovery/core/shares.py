"""A device that several claims may have at once, as NVIDIA's DRA driver offers it.

`unlimited` lets any number in, `memory` shares out the memory, a number is so many shares and one for
each claim that does not ask for more. It is accounting: nothing holds a container to its memory.
"""

from __future__ import annotations

import msgspec

from slicewire.common.model import (
    CapacityRequestPolicy,
    CapacityRequestPolicyRange,
    Device,
    DeviceCapacity,
    Quantity,
)
from slicewire.discovery.core.policy import Shares

_STEP = Quantity("1Mi")
"""Memory is asked for in whole MiB; less than one cannot be shared out."""


def shared(device: Device, shares: Shares) -> Device:
    """The same device where it is not shared."""
    if shares == "disabled":
        return device
    capacity = dict(device.capacity)
    if "memory" in capacity and capacity["memory"].value >= _STEP:
        capacity["memory"] = _memory(capacity["memory"].value, shares)
    if isinstance(shares, int):
        capacity["shares"] = _capacity(shares, default=1, least=1, step=1)
    return msgspec.structs.replace(device, capacity=capacity, allow_multiple_allocations=True)


def _memory(total: Quantity, shares: Shares) -> DeviceCapacity:
    step = int(_STEP.value)
    whole = int(total.value) // step * step
    if shares == "memory":
        return _capacity(whole, default=whole, least=step, step=step)
    return _capacity(whole, default=0, least=0, step=step)


def _capacity(value: int, *, default: int, least: int, step: int) -> DeviceCapacity:
    span = CapacityRequestPolicyRange(min=Quantity.of(least), max=Quantity.of(value), step=Quantity.of(step))
    policy = CapacityRequestPolicy(default=Quantity.of(default), valid_range=span)
    return DeviceCapacity(value=Quantity.of(value), request_policy=policy)
