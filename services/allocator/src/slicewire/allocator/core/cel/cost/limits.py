"""How large what a device publishes may be, by the path to it from `device`: limits of resource.k8s.io."""

from __future__ import annotations

from slicewire.allocator.core.cel.cost.ranges import Size

DRIVER_NAME, DOMAIN, IDENTIFIER = 63, 63, 32
ATTRIBUTES, ATTRIBUTE_VALUE, ATTRIBUTE_VALUES = 32, 64, 48

_ATTRIBUTE = Size(0, max(ATTRIBUTE_VALUE, ATTRIBUTE_VALUES))
"""Before evaluation nobody knows whether an attribute is one value or a list."""

_SIZES = {
    ("device", "driver"): Size(0, DRIVER_NAME),
    ("device", "allowMultipleAllocations"): Size(0, 1),
    ("device", "attributes"): Size(0, ATTRIBUTES),
    ("device", "attributes", "@keys"): Size(0, DOMAIN),
    ("device", "attributes", "@values"): Size(0, ATTRIBUTES),
    ("device", "attributes", "@values", "@keys"): Size(0, IDENTIFIER),
    ("device", "capacity"): Size(0, ATTRIBUTES),
    ("device", "capacity", "@keys"): Size(0, DOMAIN),
    ("device", "capacity", "@values"): Size(0, ATTRIBUTES),
    ("device", "capacity", "@values", "@keys"): Size(0, IDENTIFIER),
}


def size_at(path: tuple[str, ...]) -> Size | None:
    """The size of what lies there, or None where no limit is known."""
    known = _SIZES.get(path)
    if known is not None:
        return known
    is_attribute = len(path) == 4 and path[:3] == ("device", "attributes", "@values")
    return _ATTRIBUTE if is_attribute else None
