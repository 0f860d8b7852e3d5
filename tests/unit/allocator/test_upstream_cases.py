"""Kubernetes' own table of allocations: what its structured allocator is expected to answer, and ours does.

The table is not part of this repository; where it is not found beside the checkout, these tests skip.
"""

from __future__ import annotations

import json
import sys
from importlib import util
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from slicewire.allocator.core.features import Features
from slicewire.allocator.core.search import Fault, allocate
from slicewire.allocator.core.snapshot import EMPTY, Holding, NodeView, Snapshot
from slicewire.common.model import (
    ClaimUID,
    DeviceClass,
    DeviceRequestAllocationResult,
    DriverName,
    NodeName,
    ResourceClaim,
    ResourceSlice,
    Unsatisfiable,
)
from slicewire.common.model.wire import convert, encode

TABLE = Path(__file__).parents[4] / "shared" / "dra-cases"
CASES = sorted((TABLE / "cases").glob("*.json"))

pytestmark = pytest.mark.skipif(not CASES, reason=f"the table of upstream cases is not at {TABLE}")


def _judge() -> ModuleType:
    spec = util.spec_from_file_location("upstream_judge", TABLE / "judge.py")
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _snapshot(given: dict[str, Any]) -> Snapshot:
    snapshot = EMPTY.with_node(
        NodeView(NodeName(given["node"]["metadata"]["name"]), given["node"]["metadata"].get("labels") or {})
    )
    for device_class in given["deviceClasses"]:
        snapshot = snapshot.with_class(convert(device_class, DeviceClass))
    told: dict[tuple[NodeName, DriverName], list[ResourceSlice]] = {}
    for each in given["resourceSlices"]:
        published = convert(each, ResourceSlice)
        key = published.spec.node_name or NodeName(""), published.spec.driver
        told.setdefault(key, []).append(published)
    for (node, driver), slices in told.items():
        snapshot = snapshot.with_slices(node, driver, tuple(slices))
    return _with_allocated(snapshot, given["allocatedState"])


def _with_allocated(snapshot: Snapshot, state: dict[str, Any]) -> Snapshot:
    """A consumption and the share it belongs to are listed apart; together they are one result."""
    whole = [{"request": "r", **device} for device in state["allocatedDevices"]]
    shares: dict[tuple[str, str, str], dict[str, Any]] = {}
    for each in (*state["aggregatedCapacity"], *state["allocatedSharedDeviceIDs"]):
        key = each["driver"], each["pool"], each["device"]
        shares.setdefault(key, {"request": "r", "shareID": "a-share"}).update(each)
    by_driver: dict[str, list[DeviceRequestAllocationResult]] = {}
    for result in (*whole, *shares.values()):
        converted = convert(result, DeviceRequestAllocationResult)
        by_driver.setdefault(converted.driver, []).append(converted)
    for driver, results in by_driver.items():
        held = (Holding(ClaimUID("earlier"), "earlier", tuple(results)),)
        snapshot = snapshot.with_holdings(NodeName("ledger"), DriverName(driver), held)
    return snapshot


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_answer_is_the_expected_one(path: Path) -> None:
    case = json.loads(path.read_text())
    features = msgspec.convert(case["features"], Features)
    claims = [convert(claim, ResourceClaim) for claim in case["input"]["claims"]]
    node = NodeName(case["input"]["node"]["metadata"]["name"])

    answer = allocate(claims, _snapshot(case["input"]), node, features)

    match answer:
        case Fault(message):
            assert _judge().judge(case, None, message) == []
        case Unsatisfiable():
            assert _judge().judge(case, None) == []
            assert answer.message
        case results:
            assert _judge().judge(case, json.loads(encode(results))) == []


def test_the_table_is_whole() -> None:
    assert len(CASES) == 223
