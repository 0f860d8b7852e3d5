"""Node selectors: of slices, devices and allocations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.kubeapi.validation.formats import label_key
from tests.kubeapi.validation.problems import Problems, forbidden, invalid, required, unsupported

_OPERATORS = frozenset({"In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"})
_FIELD_OPERATORS = frozenset({"In", "NotIn"})


def check_node_selector(selector: Mapping[str, Any], field: str) -> Problems:
    terms = selector.get("nodeSelectorTerms", ())
    if not terms:
        yield required(f"{field}.nodeSelectorTerms", "must have at least one node selector term")
    for index, term in enumerate(terms):
        at = f"{field}.nodeSelectorTerms[{index}]"
        for number, each in enumerate(term.get("matchExpressions", ())):
            yield from _check_expression(each, f"{at}.matchExpressions[{number}]")
        for number, each in enumerate(term.get("matchFields", ())):
            yield from _check_field(each, f"{at}.matchFields[{number}]")


def _check_expression(each: Mapping[str, Any], field: str) -> Problems:
    values = each.get("values", ())
    yield from label_key(each.get("key", ""), f"{field}.key")
    match each.get("operator", ""):
        case "In" | "NotIn" if not values:
            yield required(f"{field}.values", "must be specified when `operator` is 'In' or 'NotIn'")
        case "Exists" | "DoesNotExist" if values:
            yield forbidden(
                f"{field}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            )
        case "Gt" | "Lt" if len(values) != 1:
            yield required(
                f"{field}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'"
            )
        case operator if operator not in _OPERATORS:
            yield invalid(f"{field}.operator", operator, "not a valid selector operator")


def _check_field(each: Mapping[str, Any], field: str) -> Problems:
    if each.get("key") != "metadata.name":
        yield invalid(f"{field}.key", each.get("key", ""), "not a valid field selector key")
    if each.get("operator") not in _FIELD_OPERATORS:
        yield unsupported(f"{field}.operator", each.get("operator", ""), _FIELD_OPERATORS)
    if len(each.get("values", ())) != 1:
        yield required(
            f"{field}.values",
            "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
        )
