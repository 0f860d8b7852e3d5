"""What a ResourceSlice must satisfy; its devices are judged in `devices.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.kubeapi.validation.devices import check_counters, check_device
from tests.kubeapi.validation.formats import dns_label, dns_subdomain, driver_name, pool_name
from tests.kubeapi.validation.node_selectors import check_node_selector
from tests.kubeapi.validation.problems import (
    Problems,
    at_most,
    immutable,
    invalid,
    required,
    unique_names,
)

_MOST_DEVICES = 128
_MOST_ADVANCED_DEVICES = 64
_MOST_COUNTER_SETS = 8
_MOST_COUNTERS_BEFORE_1_35 = 32
_NODE_CHOICES = ("nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection")


def check_slice(stored: Mapping[str, Any]) -> Problems:
    yield from _check_spec(stored)
    spec = stored.get("spec", {})
    if "devices" in spec and "sharedCounters" in spec:
        yield invalid("spec", "", "only one of `sharedCounters` or `devices` is allowed")


def check_slice_before_1_35(stored: Mapping[str, Any]) -> Problems:
    """Devices draw from the counters of their own slice, of which there are at most 32 in all; what they are
    makes no difference to how many there may be."""
    yield from _check_spec(stored, _MOST_DEVICES)
    spec = stored.get("spec", {})
    sets = {each["name"]: each.get("counters", {}) for each in spec.get("sharedCounters", ())}
    if (total := sum(map(len, sets.values()))) > _MOST_COUNTERS_BEFORE_1_35:
        told = f"the total number of shared counters must not exceed {_MOST_COUNTERS_BEFORE_1_35}"
        yield invalid("spec.sharedCounters", total, told)
    for index, device in enumerate(spec.get("devices", ())):
        for place, drawn in enumerate(device.get("consumesCounters", ())):
            if drawn.get("counterSet") not in sets:
                field = f"spec.devices[{index}].consumesCounters[{place}].counterSet"
                yield invalid(
                    field, drawn.get("counterSet"), "must reference a counterSet of the ResourceSlice"
                )


def _check_spec(stored: Mapping[str, Any], most_advanced: int = _MOST_ADVANCED_DEVICES) -> Problems:
    spec = stored.get("spec", {})
    yield from driver_name(spec.get("driver", ""), "spec.driver")
    yield from _check_pool(spec.get("pool", {}))
    yield from check_node_choice(spec, "spec", _NODE_CHOICES)
    if len(spec.get("nodeSelector", {}).get("nodeSelectorTerms", ())) > 1:
        terms = spec["nodeSelector"]["nodeSelectorTerms"]
        yield invalid(
            "spec.nodeSelector.nodeSelectorTerms", terms, "must have exactly one node selector term"
        )
    yield from _check_devices(spec, spec.get("devices", []), most_advanced)
    yield from _check_shared_counters(spec.get("sharedCounters", []))


def check_slice_change(old: Mapping[str, Any], new: Mapping[str, Any]) -> Problems:
    before, after = old.get("spec", {}), new.get("spec", {})
    yield from immutable(before.get("driver"), after.get("driver"), "spec.driver")
    yield from immutable(before["pool"]["name"], after.get("pool", {}).get("name"), "spec.pool.name")
    yield from immutable(before.get("nodeName"), after.get("nodeName"), "spec.nodeName")


def _check_pool(pool: Mapping[str, Any]) -> Problems:
    yield from pool_name(pool.get("name", ""), "spec.pool.name")
    if pool.get("resourceSliceCount", 0) <= 0:
        yield invalid(
            "spec.pool.resourceSliceCount", pool.get("resourceSliceCount", 0), "must be greater than zero"
        )
    if pool.get("generation", 0) < 0:
        yield invalid("spec.pool.generation", pool["generation"], "must be greater than or equal to zero")


def check_node_choice(chosen: Mapping[str, Any], field: str, choices: Sequence[str]) -> Problems:
    """Exactly one way of saying which nodes reach the devices."""
    given = [choice for choice in choices if chosen.get(choice, False) not in (False, "")]
    offered = ", ".join(f"`{choice}`" for choice in choices)
    for choice in choices:
        if chosen.get(choice) is False:
            yield invalid(f"{field}.{choice}", False, "must be either unset or set to true")
    if chosen.get("nodeName") == "":
        yield invalid(f"{field}.nodeName", "", "must be either unset or set to a non-empty string")
    elif "nodeName" in chosen:
        yield from dns_subdomain(chosen["nodeName"], f"{field}.nodeName")
    if "nodeSelector" in chosen:
        yield from check_node_selector(chosen["nodeSelector"], f"{field}.nodeSelector")
    if not given:
        yield required(field, f"exactly one of {offered} is required")
    elif len(given) > 1:
        listed = "{" + ", ".join(f"`{choice}`" for choice in given) + "}"
        yield invalid(field, listed, f"exactly one of {offered} is required, but multiple fields are set")


def _check_devices(
    spec: Mapping[str, Any], devices: Sequence[Mapping[str, Any]], most_advanced: int
) -> Problems:
    most = most_advanced if any(map(_is_advanced, devices)) else _MOST_DEVICES
    yield from at_most(devices, most, "spec.devices")
    yield from unique_names(devices, "spec.devices")
    for index, device in enumerate(devices):
        at = f"spec.devices[{index}]"
        yield from check_device(device, at)
        if spec.get("perDeviceNodeSelection"):
            yield from check_node_choice(device, at, _NODE_CHOICES[:3])
        else:
            yield from _check_no_node_choice(device, at)


def _check_no_node_choice(device: Mapping[str, Any], field: str) -> Problems:
    if any(choice in device for choice in _NODE_CHOICES[:3]):
        yield invalid(
            field,
            None,
            "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection`"
            " is set to true in the ResourceSlice spec",
        )


def _is_advanced(device: Mapping[str, Any]) -> bool:
    """Devices that cost the readers more, so that fewer fit into one slice."""
    return bool(device.get("taints") or device.get("consumesCounters"))


def _check_shared_counters(counter_sets: Sequence[Mapping[str, Any]]) -> Problems:
    yield from at_most(counter_sets, _MOST_COUNTER_SETS, "spec.sharedCounters")
    yield from unique_names(counter_sets, "spec.sharedCounters")
    for index, counter_set in enumerate(counter_sets):
        at = f"spec.sharedCounters[{index}]"
        yield from dns_label(counter_set.get("name", ""), f"{at}.name")
        yield from check_counters(counter_set.get("counters", {}), f"{at}.counters")
