"""What a claim, a claim template and a device class may ask for.

A CEL expression is measured and must not be empty; it is not compiled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.kubeapi.validation.formats import (
    dns_label,
    dns_subdomain,
    fully_qualified_name,
    label_key,
    label_value,
    qualified_name,
)
from tests.kubeapi.validation.opaque import check_opaque
from tests.kubeapi.validation.problems import (
    Problems,
    at_most,
    immutable,
    invalid,
    required,
    too_long,
    unique,
    unique_names,
    unsupported,
)

_MOST = 32
_MOST_ALTERNATIVES = 8
_EXPRESSION_MAX = 10 * 1024
_MODES = frozenset({"ExactCount", "All"})
_OPERATORS = frozenset({"Exists", "Equal"})
_EFFECTS = frozenset({"None", "NoSchedule", "NoExecute"})
_REFERENCE = (
    "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
)


def check_claim(claim: Mapping[str, Any]) -> Problems:
    yield from _check_spec(claim.get("spec", {}), "spec")


def check_claim_change(old: Mapping[str, Any], new: Mapping[str, Any]) -> Problems:
    yield from immutable(old.get("spec"), new.get("spec"), "spec")


def check_template(template: Mapping[str, Any]) -> Problems:
    spec = template.get("spec", {})
    for field in sorted(spec.get("metadata", {}).keys() - {"labels", "annotations"}):
        told = "only labels and annotations may be set"
        yield invalid(f"spec.metadata.{field}", spec["metadata"][field], told)
    yield from _check_spec(spec.get("spec", {}), "spec.spec")


def check_device_class(device_class: Mapping[str, Any]) -> Problems:
    spec = device_class.get("spec", {})
    yield from _check_selectors(spec.get("selectors", []), "spec.selectors")
    yield from at_most(spec.get("config", []), _MOST, "spec.config")
    for index, each in enumerate(spec.get("config", [])):
        yield from check_opaque(each, f"spec.config[{index}]")
    name = spec.get("extendedResourceName")
    if name is not None and ("/" not in name or "kubernetes.io/" in name or name.startswith("requests.")):
        yield invalid("spec.extendedResourceName", name, "must be a fully qualified extended resource name")


def request_names(spec: Mapping[str, Any]) -> frozenset[str]:
    """What constraints, configuration and results may refer to: `request` and `request/subrequest`."""
    requests = spec.get("devices", {}).get("requests", ())
    alternatives = (
        f"{request.get('name')}/{each.get('name')}"
        for request in requests
        for each in request.get("firstAvailable", ())
    )
    return frozenset([*(request.get("name", "") for request in requests), *alternatives])


def check_references(references: Sequence[str], known: frozenset[str], field: str) -> Problems:
    yield from at_most(references, _MOST, field)
    yield from unique(references, [f"{field}[{index}]" for index in range(len(references))])
    for index, reference in enumerate(references):
        yield from check_reference(reference, known, f"{field}[{index}]")


def check_reference(reference: str, known: frozenset[str], field: str) -> Problems:
    if reference not in known:
        yield invalid(field, reference, _REFERENCE)


def _check_spec(spec: Mapping[str, Any], field: str) -> Problems:
    devices, at, known = spec.get("devices", {}), f"{field}.devices", request_names(spec)
    requests = devices.get("requests", [])
    yield from at_most(requests, _MOST, f"{at}.requests")
    yield from unique_names(requests, f"{at}.requests")
    for index, request in enumerate(requests):
        yield from _check_request(request, f"{at}.requests[{index}]")
    yield from at_most(devices.get("constraints", []), _MOST, f"{at}.constraints")
    for index, constraint in enumerate(devices.get("constraints", ())):
        yield from _check_constraint(constraint, known, f"{at}.constraints[{index}]")
    yield from at_most(devices.get("config", []), _MOST, f"{at}.config")
    for index, each in enumerate(devices.get("config", ())):
        yield from check_references(each.get("requests", []), known, f"{at}.config[{index}].requests")
        yield from check_opaque(each, f"{at}.config[{index}]")


def _check_request(request: Mapping[str, Any], field: str) -> Problems:
    yield from dns_label(request.get("name", ""), f"{field}.name")
    exactly, alternatives = request.get("exactly"), request.get("firstAvailable", [])
    if exactly is None and not alternatives:
        yield required(field, "exactly one of `exactly` or `firstAvailable` is required")
    if exactly is not None and alternatives:
        told = "exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set"
        yield invalid(field, None, told)
    if exactly is not None:
        yield from _check_wanted(exactly, f"{field}.exactly")
    yield from at_most(alternatives, _MOST_ALTERNATIVES, f"{field}.firstAvailable")
    yield from unique_names(alternatives, f"{field}.firstAvailable")
    for index, each in enumerate(alternatives):
        yield from dns_label(each.get("name", ""), f"{field}.firstAvailable[{index}].name")
        yield from _check_wanted(each, f"{field}.firstAvailable[{index}]")


def _check_wanted(wanted: Mapping[str, Any], field: str) -> Problems:
    yield from dns_subdomain(wanted.get("deviceClassName", ""), f"{field}.deviceClassName")
    yield from _check_selectors(wanted.get("selectors", []), f"{field}.selectors")
    yield from _check_count(wanted.get("allocationMode", ""), wanted.get("count", 0), field)
    for index, toleration in enumerate(wanted.get("tolerations", ())):
        yield from _check_toleration(toleration, f"{field}.tolerations[{index}]")
    for key in wanted.get("capacity", {}).get("requests", ()):
        yield from qualified_name(key, f"{field}.capacity.requests")


def _check_count(mode: str, count: int, field: str) -> Problems:
    match mode:
        case "ExactCount" if count <= 0:
            yield invalid(f"{field}.count", count, "must be greater than zero")
        case "All" if count != 0:
            yield invalid(f"{field}.count", count, "must not be specified when allocationMode is 'All'")
        case _ if mode not in _MODES:
            yield unsupported(f"{field}.allocationMode", mode, _MODES)


def _check_selectors(selectors: Sequence[Mapping[str, Any]], field: str) -> Problems:
    yield from at_most(selectors, _MOST, field)
    for index, selector in enumerate(selectors):
        at = f"{field}[{index}].cel"
        if "cel" not in selector:
            yield required(at)
        elif not selector["cel"].get("expression"):
            yield required(f"{at}.expression")
        elif len(selector["cel"]["expression"].encode()) > _EXPRESSION_MAX:
            yield too_long(f"{at}.expression", _EXPRESSION_MAX)


def _check_toleration(toleration: Mapping[str, Any], field: str) -> Problems:
    if toleration.get("key"):
        yield from label_key(toleration["key"], f"{field}.key")
    match toleration.get("operator"):
        case "Exists" if toleration.get("value"):
            yield invalid(f"{field}.value", toleration["value"], "must be empty for operator `Exists`")
        case "Equal":
            yield from label_value(toleration.get("value", ""), f"{field}.value")
        case operator if operator not in _OPERATORS:
            yield unsupported(f"{field}.operator", operator, _OPERATORS)
    if toleration.get("effect") and toleration["effect"] not in _EFFECTS:
        yield unsupported(f"{field}.effect", toleration["effect"], _EFFECTS)


def _check_constraint(constraint: Mapping[str, Any], known: frozenset[str], field: str) -> Problems:
    yield from check_references(constraint.get("requests", []), known, f"{field}.requests")
    if "matchAttribute" in constraint:
        yield from fully_qualified_name(constraint["matchAttribute"], f"{field}.matchAttribute")
    elif "distinctAttribute" in constraint:
        yield from fully_qualified_name(constraint["distinctAttribute"], f"{field}.distinctAttribute")
    else:
        yield required(field, "one of `matchAttribute` or `distinctAttribute` is required")
