"""Configuration only a driver understands: its envelope is checked, never its content."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.kubeapi.validation.formats import driver_name
from tests.kubeapi.validation.problems import Problems, invalid, required, too_long

PARAMETERS_MAX = 10 * 1024


def check_opaque(configuration: Mapping[str, Any], field: str) -> Problems:
    opaque = configuration.get("opaque")
    if opaque is None:
        yield required(field, "exactly one configuration field is required")
        return
    yield from driver_name(opaque.get("driver", ""), f"{field}.opaque.driver")
    if "parameters" not in opaque:
        yield required(f"{field}.opaque.parameters")
    else:
        yield from check_raw(opaque["parameters"], f"{field}.opaque.parameters")


def check_raw(content: object, field: str) -> Problems:
    if not isinstance(content, Mapping):
        yield invalid(field, content, "parameters must be a valid JSON object")
    elif len(json.dumps(content, separators=(",", ":")).encode()) > PARAMETERS_MAX:
        yield too_long(field, PARAMETERS_MAX)
