"""One copy of what devices have in common: of thousands of equal attributes and draws only one is kept.

Changes no value: what comes out equals what went in, text for text. Identifiers and what else is found
only once are left as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from msgspec.structs import replace

from slicewire.allocator.core.layout import is_identifier
from slicewire.common.model import (
    Counter,
    Device,
    DeviceAttribute,
    DeviceCapacity,
    DeviceCounterConsumption,
    Quantity,
    ResourceSlice,
)

_Texts = tuple[tuple[str, str], ...]
"""Quantities by name, as they were written: equal amounts may be written differently."""
_KINDS = 65_536
"""Different values that are remembered of each sort."""


def sharing(published: ResourceSlice) -> ResourceSlice:
    """The same slice; its devices share what they have in common with others."""
    devices = tuple(map(_sharing, published.spec.devices))
    return replace(published, spec=replace(published.spec, devices=devices))


def _sharing(device: Device) -> Device:
    return replace(
        device,
        attributes={
            name: value if _is_found_once(name) else _attribute(value)
            for name, value in device.attributes.items()
        },
        capacity=_capacity_of(device.capacity),
        consumes_counters=tuple(map(_consumption_of, device.consumes_counters)),
    )


@lru_cache(maxsize=_KINDS)
def _is_found_once(name: str) -> bool:
    return is_identifier(name)


@lru_cache(maxsize=_KINDS)
def _attribute(value: DeviceAttribute) -> DeviceAttribute:
    return value


def _capacity_of(capacity: Mapping[str, DeviceCapacity]) -> Mapping[str, DeviceCapacity]:
    """Those with a policy are few, and are left alone."""
    if any(each.request_policy for each in capacity.values()):
        return capacity
    return _capacity(tuple((name, each.value.text) for name, each in capacity.items()))


@lru_cache(maxsize=_KINDS)
def _capacity(amounts: _Texts) -> Mapping[str, DeviceCapacity]:
    return {name: DeviceCapacity(value=Quantity(text)) for name, text in amounts}


def _consumption_of(drawn: DeviceCounterConsumption) -> DeviceCounterConsumption:
    amounts = tuple((name, counter.value.text) for name, counter in drawn.counters.items())
    return _consumption(drawn.counter_set, amounts, drawn.compatibility_groups)


@lru_cache(maxsize=_KINDS)
def _consumption(counter_set: str, amounts: _Texts, groups: tuple[str, ...]) -> DeviceCounterConsumption:
    return DeviceCounterConsumption(
        counter_set=counter_set,
        counters={name: Counter(value=Quantity(text)) for name, text in amounts},
        compatibility_groups=groups,
    )
