"""A device as an expression sees it: its attributes and capacities by domain and id, as values of CEL.

Remembers the devices it has just converted, since one device meets many selectors.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cached_property
from typing import Any

from slicewire.allocator.core.cel.cost import limits
from slicewire.allocator.core.cel.functions.versions import parsed_version
from slicewire.allocator.core.cel.values import DomainMap
from slicewire.common.model import Device, DeviceAttribute, Semver, qualified


class SeenDevice:
    """Attributes and capacity are by `domain/id`, for most selectors name what they want.

    `fault`: the device cannot be seen. `ordinary`: it is within the API's limits.
    """

    def __init__(self, device: Device, driver: str) -> None:
        self.device = device
        self.driver = driver
        self.allow_multiple_allocations = bool(device.allow_multiple_allocations)
        self.attributes: dict[str, Any] = {}
        self.capacity: dict[str, Any] = {}
        self.fault = ""
        self.ordinary = False
        own = f"{driver}/"
        try:
            for name, attribute in device.attributes.items():
                self.attributes[name if "/" in name else own + name] = _value(name, attribute)
        except Unsupported as error:
            self.fault = str(error)
            return
        for name, held in device.capacity.items():
            self.capacity[name if "/" in name else own + name] = held.value
        self.ordinary = self._is_ordinary()

    @cached_property
    def fields(self) -> dict[str, Any]:
        """Those of `device`, for expressions that look at it as a whole or at all of a domain."""
        return {
            "driver": self.driver,
            "allowMultipleAllocations": self.allow_multiple_allocations,
            "attributes": _by_domain(self.attributes),
            "capacity": _by_domain(self.capacity),
        }

    def _is_ordinary(self) -> bool:
        return (
            len(self.driver) <= limits.DRIVER_NAME
            and _are_ordinary_names(self.device.attributes)
            and _are_ordinary_names(self.device.capacity)
            and _are_ordinary_values(self.attributes.values())
        )


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
    found = _seen[id(device)] = SeenDevice(device, driver)
    return found


def _by_domain(values: dict[str, Any]) -> DomainMap:
    domains = DomainMap()
    for name, value in values.items():
        domain, identifier = qualified(name, "")
        if domain not in domains:
            domains[domain] = {}
        domains[domain][identifier] = value
    return domains


def _are_ordinary_names(names: Collection[str]) -> bool:
    if len(names) > limits.ATTRIBUTES:
        return False
    longest = limits.IDENTIFIER
    return all(map(_is_ordinary_name, [name for name in names if len(name) > longest]))


def _are_ordinary_values(values: Iterable[Any]) -> bool:
    longest = limits.ATTRIBUTE_VALUE
    for value in values:
        kind = type(value)
        if kind is str and len(value) > longest:
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
