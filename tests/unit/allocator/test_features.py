"""The feature switches."""

from __future__ import annotations

import msgspec

from slicewire.allocator.core.features import DEFAULT, Features


def test_the_defaults_are_those_of_kubernetes_1_36() -> None:
    off = [name for name, is_on in msgspec.structs.asdict(DEFAULT).items() if not is_on]

    assert off == [
        "list_type_attributes",
        "derived_attributes",
        "device_compatibility_groups",
        "optional_node_operations",
    ]


def test_on_the_wire_they_have_the_names_of_the_feature_gates() -> None:
    assert msgspec.convert({"ListTypeAttributes": True, "DeviceTaints": False}, Features) == Features(
        list_type_attributes=True, device_taints=False
    )
