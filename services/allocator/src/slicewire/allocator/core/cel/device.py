"""A device as an expression sees it: its attributes and capacities by domain and id, as values of CEL.

Remembers the devices it has just converted, since one device meets many selectors.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from slicewire.allocator.core.cel.cost import limits
from slicewire.allocator.core.cel.functions.versions import parsed_version
from slicewire.allocator.core.cel.values import DomainMap
from slicewire.common.model import Device, DeviceAttribute, Semver, qualified


class SeenDevice(NamedTuple):
    """`fields` are those of `device`. `fault`: it cannot be seen. `ordinary`: within the API's limits."""

    device: Device
    driver: str
    fields: dict[str, Any]
    fault: str
    ordinary: bool


class Unsupported(Exception):
    """An attribute without a value, or with a version that is none."""


_REMEMBERED = 8192
_seen: dict[int, SeenDevice] = {}


def seen(device: Device, driver: str) -> SeenDevice:
    """The device through CEL's eyes. The same object is converted once, as long as it is remembered."""
    known = _seen.get(id(device))
    if known is not None and known.device is device and known.driver == driver:
        return known
    if len(_seen) >= _REMEMBERED:
        _seen.clear()
    found = _seen[id(device)] = _converted(device, driver)
    return found


def _converted(device: Device, driver: str) -> SeenDevice:
    try:
        attributes = [(name, _value(name, attribute)) for name, attribute in device.attributes.items()]
    except Unsupported as error:
        return SeenDevice(device, driver, {}, str(error), False)
    capacity = [(name, held.value) for name, held in device.capacity.items()]
    fields = {
        "driver": driver,
        "allowMultipleAllocations": bool(device.allow_multiple_allocations),
        "attributes": _by_domain(attributes, driver),
        "capacity": _by_domain(capacity, driver),
    }
    ordinary = len(driver) <= limits.DRIVER_NAME and _are_ordinary(attributes) and _are_ordinary(capacity)
    return SeenDevice(device, driver, fields, "", ordinary)


def _by_domain(values: list[tuple[str, Any]], driver: str) -> DomainMap:
    domains = DomainMap()
    for name, value in values:
        domain, identifier = qualified(name, driver) if "/" in name else (driver, name)
        if domain not in domains:
            domains[domain] = {}
        domains[domain][identifier] = value
    return domains


def _are_ordinary(values: list[tuple[str, Any]]) -> bool:
    if len(values) > limits.ATTRIBUTES:
        return False
    longest = limits.IDENTIFIER
    for name, value in values:
        if len(name) > longest and not _is_ordinary_name(name):
            return False
        kind = type(value)
        if kind is str and len(value) > limits.ATTRIBUTE_VALUE:
            return False
        if kind is tuple and not _is_ordinary_list(value):
            return False
    return True


def _is_ordinary_name(name: str) -> bool:
    domain, _, identifier = name.rpartition("/")
    return len(domain) <= limits.DOMAIN and len(identifier) <= limits.IDENTIFIER


def _is_ordinary_list(items: tuple[Any, ...]) -> bool:
    return len(items) <= limits.ATTRIBUTE_VALUES and all(
        type(item) is not str or len(item) <= limits.ATTRIBUTE_VALUE for item in items
    )


def _value(name: str, attribute: DeviceAttribute) -> Any:
    if attribute.string is not None:
        return attribute.string
    if attribute.int_value is not None:
        return attribute.int_value
    if attribute.bool_value is not None:
        return attribute.bool_value
    if attribute.version is not None:
        return _version(name, attribute.version)
    return _list_value(name, attribute)


def _list_value(name: str, attribute: DeviceAttribute) -> tuple[Any, ...]:
    for items in (attribute.ints, attribute.bools, attribute.strings):
        if items is not None:
            return tuple(items)
    if attribute.versions is None:
        raise Unsupported(f"attribute {name}: unsupported attribute value")
    return tuple(_version(name, text) for text in attribute.versions)


def _version(name: str, text: str) -> Semver:
    try:
        return parsed_version(text)
    except ValueError as error:
        raise Unsupported(f"attribute {name}: parse semantic version: {error}") from None
