"""What may be written into a claim's status, which depends on what is there.

An allocation is written once and then only cleared; nobody is reserved without one; a driver reports
about allocated devices only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.kubeapi.validation.claims import check_reference, check_references, request_names
from tests.kubeapi.validation.formats import (
    dns_label,
    driver_name,
    label_key,
    pool_name,
    qualified_name,
    uuid,
)
from tests.kubeapi.validation.node_selectors import check_node_selector
from tests.kubeapi.validation.opaque import check_opaque, check_raw
from tests.kubeapi.validation.problems import (
    Problems,
    at_most,
    duplicate,
    forbidden,
    immutable,
    invalid,
    one_of,
    required,
    unique,
    unique_names,
)

_MOST_RESULTS = 32
_MOST_CONFIG = 64
_MOST_CONSUMERS = 256
_MOST_CONDITIONS = 8
_SOURCES = frozenset({"FromClass", "FromClaim"})
_TRUTHS = frozenset({"True", "False", "Unknown"})

DeviceKey = tuple[str, str, str, str]


def check_status_change(old: Mapping[str, Any], new: Mapping[str, Any]) -> Problems:
    before, after = old.get("status", {}), new.get("status", {})
    allocation = after.get("allocation")
    if "allocation" in before and allocation is not None:
        yield from immutable(before["allocation"], allocation, "status.allocation")
    elif allocation is not None:
        yield from _check_allocation(allocation, request_names(new.get("spec", {})))
    yield from _check_consumers(old, after)
    yield from _check_devices(after, allocated_devices(allocation or {}))


def allocated_devices(allocation: Mapping[str, Any]) -> frozenset[DeviceKey]:
    return frozenset(device_key(each) for each in allocation.get("devices", {}).get("results", ()))


def device_key(named: Mapping[str, Any]) -> DeviceKey:
    return named.get("driver", ""), named.get("pool", ""), named.get("device", ""), named.get("shareID", "")


def _check_consumers(old: Mapping[str, Any], after: Mapping[str, Any]) -> Problems:
    consumers, at = after.get("reservedFor", []), "status.reservedFor"
    yield from at_most(consumers, _MOST_CONSUMERS, at)
    yield from unique_names(consumers, at, "uid")
    for index, consumer in enumerate(consumers):
        for field in ("resource", "name", "uid"):
            if not consumer.get(field):
                yield required(f"{at}[{index}].{field}")
    if consumers and "allocation" not in after:
        yield forbidden(at, "may not be specified when `allocated` is not set")
    known = [each.get("uid") for each in old.get("status", {}).get("reservedFor", ())]
    if old["metadata"].get("deletionTimestamp") and any(each.get("uid") not in known for each in consumers):
        yield forbidden(
            at, "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set"
        )


def _check_allocation(allocation: Mapping[str, Any], known: frozenset[str]) -> Problems:
    devices, at = allocation.get("devices", {}), "status.allocation.devices"
    yield from at_most(devices.get("results", []), _MOST_RESULTS, f"{at}.results")
    for index, result in enumerate(devices.get("results", ())):
        yield from _check_result(result, known, f"{at}.results[{index}]")
    yield from at_most(devices.get("config", []), _MOST_CONFIG, f"{at}.config")
    for index, each in enumerate(devices.get("config", ())):
        yield from one_of(each.get("source"), _SOURCES, f"{at}.config[{index}].source")
        yield from check_references(each.get("requests", []), known, f"{at}.config[{index}].requests")
        yield from check_opaque(each, f"{at}.config[{index}]")
    if "nodeSelector" in allocation:
        yield from check_node_selector(allocation["nodeSelector"], "status.allocation.nodeSelector")


def _check_result(result: Mapping[str, Any], known: frozenset[str], field: str) -> Problems:
    yield from check_reference(result.get("request", ""), known, f"{field}.request")
    yield from driver_name(result.get("driver", ""), f"{field}.driver")
    yield from pool_name(result.get("pool", ""), f"{field}.pool")
    yield from dns_label(result.get("device", ""), f"{field}.device")
    if "shareID" in result:
        yield from uuid(result["shareID"], f"{field}.shareID")
    for key in result.get("consumedCapacity", ()):
        yield from qualified_name(key, f"{field}.consumedCapacity")


def _check_devices(after: Mapping[str, Any], allocated: frozenset[DeviceKey]) -> Problems:
    reported = after.get("devices", [])
    keys = [device_key(each) for each in reported]
    yield from unique(keys, [f"status.devices[{index}]" for index in range(len(keys))])
    for index, (key, each) in enumerate(zip(keys, reported, strict=True)):
        at = f"status.devices[{index}]"
        if key not in allocated:
            yield invalid(at, list(key), "must be an allocated device in the claim")
        yield from _check_conditions(each.get("conditions", []), f"{at}.conditions")
        if "data" in each:
            yield from check_raw(each["data"], f"{at}.data")


def _check_conditions(conditions: Sequence[Mapping[str, Any]], field: str) -> Problems:
    yield from at_most(conditions, _MOST_CONDITIONS, field)
    seen = set()
    for index, condition in enumerate(conditions):
        at = f"{field}[{index}]"
        yield from label_key(condition.get("type", ""), f"{at}.type")
        yield from one_of(condition.get("status"), _TRUTHS, f"{at}.status")
        for needed in ("reason", "lastTransitionTime"):
            if not condition.get(needed):
                yield required(f"{at}.{needed}")
        if condition.get("type") in seen:
            yield duplicate(f"{at}.type", condition.get("type"))
        seen.add(condition.get("type"))
