"""What a DeviceTaintRule must satisfy: a taint that is one, and names that could be those of a device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.kubeapi.validation.devices import check_taint
from tests.kubeapi.validation.formats import dns_label, driver_name, pool_name
from tests.kubeapi.validation.problems import Problems


def check_taint_rule(rule: Mapping[str, Any]) -> Problems:
    spec = rule.get("spec", {})
    selector, field = spec.get("deviceSelector", {}), "spec.deviceSelector"
    if "driver" in selector:
        yield from driver_name(selector["driver"], f"{field}.driver")
    if "pool" in selector:
        yield from pool_name(selector["pool"], f"{field}.pool")
    if "device" in selector:
        yield from dns_label(selector["device"], f"{field}.device")
    yield from check_taint(spec.get("taint", {}), "spec.taint")
