"""The features of Dynamic Resource Allocation that one question may use."""

from __future__ import annotations

import msgspec


class Features(msgspec.Struct, frozen=True, rename="pascal"):
    """Named as in Kubernetes' feature gates without the `DRA`; the defaults are those of Kubernetes 1.36."""

    admin_access: bool = True
    prioritized_list: bool = True
    partitionable_devices: bool = True
    device_taints: bool = True
    device_binding_and_status: bool = True
    consumable_capacity: bool = True
    list_type_attributes: bool = False
    derived_attributes: bool = False
    """1.37, alpha: constraints may look at attributes that a request derives from the device."""
    device_compatibility_groups: bool = False
    """1.37, alpha: devices that draw from one counter set must have a compatibility group in common."""
    optional_node_operations: bool = False
    """1.37, alpha: results say which of the kubelet's calls the driver does without."""


DEFAULT = Features()
