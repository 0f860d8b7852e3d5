"""What one device of a slice must satisfy: names, values, taints, counters, binding conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.kubeapi.validation.capacity import check_capacity
from tests.kubeapi.validation.formats import (
    VALUE_MAX,
    dns_label,
    label_key,
    label_value,
    qualified_name,
    semver,
)
from tests.kubeapi.validation.problems import (
    Problems,
    at_most,
    forbidden,
    invalid,
    one_of,
    required,
    too_long,
    unique,
    unique_names,
)

_MOST_ATTRIBUTES_AND_CAPACITIES = 32
_MOST_COUNTERS = 32
_MOST_CONSUMPTIONS = 2
_MOST_TAINTS = 16
_MOST_CONDITIONS = 4
_EFFECTS = frozenset({"None", "NoSchedule", "NoExecute"})


def check_device(device: Mapping[str, Any], field: str) -> Problems:
    yield from dns_label(device.get("name", ""), f"{field}.name")
    yield from _check_attributes(device, field)
    for key, capacity in device.get("capacity", {}).items():
        yield from qualified_name(key, f"{field}.capacity")
        yield from check_capacity(capacity, device, f"{field}.capacity[{key}]")
    yield from check_taints(device.get("taints", []), f"{field}.taints")
    yield from _check_consumptions(device.get("consumesCounters", []), f"{field}.consumesCounters")
    yield from _check_binding(device, field)


def _check_attributes(device: Mapping[str, Any], field: str) -> Problems:
    attributes, capacity = device.get("attributes", {}), device.get("capacity", {})
    if len(attributes) + len(capacity) > _MOST_ATTRIBUTES_AND_CAPACITIES:
        told = (
            f"the total number of attributes and capacities must not exceed {_MOST_ATTRIBUTES_AND_CAPACITIES}"
        )
        yield invalid(field, len(attributes) + len(capacity), told)
    for key, attribute in attributes.items():
        yield from qualified_name(key, f"{field}.attributes")
        yield from _check_attribute(attribute, f"{field}.attributes[{key}]")


def _check_attribute(attribute: Mapping[str, Any], field: str) -> Problems:
    if not attribute:
        yield required(field, "exactly one value must be specified")
    elif len(attribute) > 1:
        yield invalid(field, attribute, "exactly one value must be specified")
    if len(attribute.get("string", "").encode()) > VALUE_MAX:
        yield too_long(f"{field}.string", VALUE_MAX)
    if "version" in attribute:
        yield from semver(attribute["version"], f"{field}.version")


def check_taints(taints: Sequence[Mapping[str, Any]], field: str) -> Problems:
    yield from at_most(taints, _MOST_TAINTS, field)
    for index, taint in enumerate(taints):
        yield from check_taint(taint, f"{field}[{index}]")


def check_taint(taint: Mapping[str, Any], field: str) -> Problems:
    yield from label_key(taint.get("key", ""), f"{field}.key")
    yield from label_value(taint.get("value", ""), f"{field}.value")
    yield from one_of(taint.get("effect"), _EFFECTS, f"{field}.effect")


def check_counters(counters: Mapping[str, Any], field: str) -> Problems:
    if not counters:
        yield required(field)
    yield from at_most(tuple(counters), _MOST_COUNTERS, field)
    for name, counter in counters.items():
        yield from dns_label(name, field)
        if "value" not in counter:
            yield required(f"{field}[{name}].value")


def _check_consumptions(consumptions: Sequence[Mapping[str, Any]], field: str) -> Problems:
    yield from at_most(consumptions, _MOST_CONSUMPTIONS, field)
    yield from unique_names(consumptions, field, "counterSet")
    for index, consumption in enumerate(consumptions):
        yield from dns_label(consumption.get("counterSet", ""), f"{field}[{index}].counterSet")
        yield from check_counters(consumption.get("counters", {}), f"{field}[{index}].counters")


def _check_binding(device: Mapping[str, Any], field: str) -> Problems:
    succeeds, fails = device.get("bindingConditions", []), device.get("bindingFailureConditions", [])
    for name, conditions in (("bindingConditions", succeeds), ("bindingFailureConditions", fails)):
        yield from at_most(conditions, _MOST_CONDITIONS, f"{field}.{name}")
        yield from unique(conditions, [f"{field}.{name}[{index}]" for index in range(len(conditions))])
        for index, condition in enumerate(conditions):
            yield from label_key(condition, f"{field}.{name}[{index}]")
    if succeeds and not fails:
        yield invalid(
            f"{field}.bindingFailureConditions",
            fails,
            "bindingFailureConditions are required to use bindingConditions",
        )
    if fails and not succeeds:
        yield invalid(
            f"{field}.bindingConditions",
            succeeds,
            "bindingConditions are required to use bindingFailureConditions",
        )
    for condition in set(succeeds) & set(fails):
        yield forbidden(f"{field}.bindingFailureConditions", f"{condition} is also a binding condition")
