"""A case as a value: inventory, what is held, claims, and the features that may be used. Pure.

The format is that of Kubernetes' own allocator tests: `features` (feature gates without the `DRA`) and
`input` with `claims`, `deviceClasses`, `resourceSlices`, `allocatedState` and, for one node, `node`.
`nodes`, with their labels, and `deviceTaintRules` are our own addition to `input`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from slicewire.allocator.core.features import DEFAULT, Features
from slicewire.allocator.core.snapshot import EMPTY, Holding, NodeView, Snapshot
from slicewire.common.model import (
    ClaimUID,
    DeviceClass,
    DeviceRequestAllocationResult,
    DeviceTaintRule,
    DriverName,
    Node,
    NodeName,
    ResourceClaim,
    ResourceSlice,
    wire,
)
from slicewire.common.model.struct import Object

EARLIER = "an earlier claim"
"""The case says which devices are held, not by whom."""


class AllocatedState(Object, frozen=True):
    allocated_devices: tuple[Mapping[str, Any], ...] = ()
    allocated_shared_device_ids: tuple[Mapping[str, Any], ...] = msgspec.field(
        default=(), name="allocatedSharedDeviceIDs"
    )
    aggregated_capacity: tuple[Mapping[str, Any], ...] = ()


class Input(Object, frozen=True):
    """Without `node` the question is about the whole fleet; `nodes` may give labels to its nodes."""

    node: Node | None = None
    nodes: tuple[Node, ...] = ()
    claims: tuple[ResourceClaim, ...] = ()
    device_classes: tuple[DeviceClass, ...] = ()
    resource_slices: tuple[ResourceSlice, ...] = ()
    device_taint_rules: tuple[DeviceTaintRule, ...] = ()
    allocated_state: AllocatedState = msgspec.field(default_factory=AllocatedState)


class Case(Object, frozen=True):
    input: Input
    name: str = ""
    features: Mapping[str, bool] | None = None


def features_of(case: Case) -> Features:
    """Kubernetes 1.36's defaults where the case names none. Raises `wire.Malformed`."""
    if case.features is None:
        return DEFAULT
    known = {field.encode_name for field in msgspec.structs.fields(Features)}
    for name in case.features:
        if name not in known:
            raise wire.Malformed(f"features: {name!r} is not one of {', '.join(sorted(known))}")
    off = dict.fromkeys(known, False)
    return msgspec.convert({**off, **case.features}, Features)


def snapshot_of(case: Case) -> Snapshot:
    """What is told and held in the case."""
    given = case.input
    snapshot = EMPTY
    for node in (*given.nodes, *((given.node,) if given.node else ())):
        snapshot = snapshot.with_node(NodeView(NodeName(node.metadata.name), node.metadata.labels))
    for device_class in given.device_classes:
        snapshot = snapshot.with_class(device_class)
    for rule in given.device_taint_rules:
        snapshot = snapshot.with_taint_rule(rule)
    told: dict[tuple[NodeName, DriverName], list[ResourceSlice]] = {}
    for published in given.resource_slices:
        key = published.spec.node_name or NodeName(""), published.spec.driver
        told.setdefault(key, []).append(published)
    for (node_name, driver), slices in told.items():
        snapshot = snapshot.with_slices(node_name, driver, tuple(slices))
    return _with_allocated(snapshot, given.allocated_state)


def _with_allocated(snapshot: Snapshot, state: AllocatedState) -> Snapshot:
    """A consumption and the share it belongs to are listed apart; together they are one result."""
    shares: dict[tuple[str, str, str], dict[str, Any]] = {}
    for each in (*state.aggregated_capacity, *state.allocated_shared_device_ids):
        key = each["driver"], each["pool"], each["device"]
        shares.setdefault(key, {"shareID": "earlier"}).update(each)
    by_driver: dict[DriverName, list[DeviceRequestAllocationResult]] = {}
    for plain in (*state.allocated_devices, *shares.values()):
        result = wire.convert({"request": "earlier", **plain}, DeviceRequestAllocationResult)
        by_driver.setdefault(result.driver, []).append(result)
    for driver, results in by_driver.items():
        held = (Holding(ClaimUID(EARLIER), EARLIER, tuple(results)),)
        snapshot = snapshot.with_holdings(NodeName("ledger"), driver, held)
    return snapshot


def fleet_of(snapshot: Snapshot) -> Sequence[NodeName]:
    """The nodes that a claim may go to, in order of name."""
    return tuple(node for node in snapshot.nodes if node)
