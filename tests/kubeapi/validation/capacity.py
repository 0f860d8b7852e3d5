"""What a device's capacity and the policy for asking parts of it must satisfy.

Ranges are computed with whole numbers, fractions rounded up, as the real server of 1.36 does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

from tests.kubeapi.quantities import amount
from tests.kubeapi.validation.problems import Problems, at_most, duplicate, forbidden, invalid, required

_MOST_OPTIONS = 10


def check_capacity(capacity: Mapping[str, Any], device: Mapping[str, Any], field: str) -> Problems:
    if "value" not in capacity:
        yield required(f"{field}.value")
        return
    policy = capacity.get("requestPolicy")
    if policy is None:
        return
    if not device.get("allowMultipleAllocations"):
        told = "must not be specified when allowMultipleAllocations is not true"
        yield forbidden(f"{field}.requestPolicy", told)
    yield from _check_policy(policy, capacity["value"], f"{field}.requestPolicy")


def _check_policy(policy: Mapping[str, Any], value: str, field: str) -> Problems:
    options, bounds = policy.get("validValues", []), policy.get("validRange")
    if options and bounds is not None:
        yield forbidden(field, "only one of `validValues` or `validRange` is allowed")
    if (options or bounds is not None) and "default" not in policy:
        yield required(f"{field}.default", "required when `validValues` or `validRange` is defined")
        return
    if options:
        yield from _check_options(options, policy["default"], value, f"{field}.validValues")
    if bounds is not None:
        yield from _check_range(bounds, policy["default"], value, f"{field}.validRange")


def _check_options(options: Sequence[str], default: str, value: str, field: str) -> Problems:
    yield from at_most(options, _MOST_OPTIONS, field)
    amounts = [amount(option) for option in options]
    for index, option in enumerate(options):
        if amounts[index] > amount(value):
            yield invalid(f"{field}[{index}]", option, f"option is larger than capacity value: {value}")
        if index and amounts[index] == amounts[index - 1]:
            yield duplicate(f"{field}[{index}]", option)
        if index and amounts[index] < amounts[index - 1]:
            yield invalid(f"{field}[{index}]", option, "values must be sorted in ascending order")
    if amount(default) not in amounts:
        yield invalid(field, default, "default value is not valid according to the requestPolicy")


def _check_range(bounds: Mapping[str, str], default: str, value: str, field: str) -> Problems:
    if "min" not in bounds:
        yield required(f"{field}.min")
        return
    least, usual, whole = (ceil(amount(text)) for text in (bounds["min"], default, value))
    most = ceil(amount(bounds["max"])) if "max" in bounds else whole
    if least > whole:
        yield invalid(f"{field}.min", bounds["min"], f"min is larger than capacity value: {value}")
    if most > whole:
        yield invalid(f"{field}.max", bounds["max"], f"max is larger than capacity value: {value}")
    if least > most:
        yield invalid(f"{field}.min", bounds["min"], f"min is larger than max: {bounds.get('max', value)}")
    if not least <= usual <= most:
        yield invalid(field, default, "default is outside of min and max")
    if "step" in bounds:
        yield from _check_step(bounds, (least, usual, most, whole), field)


def _check_step(bounds: Mapping[str, str], amounts: tuple[int, int, int, int], field: str) -> Problems:
    least, usual, most, whole = amounts
    step = ceil(amount(bounds["step"]))
    if step <= 0:
        yield invalid(f"{field}.step", bounds["step"], "must be greater than zero")
        return
    if least + step > whole:
        yield invalid(f"{field}.step", bounds["step"], "one step above min is larger than the capacity value")
    if (usual - least) % step:
        yield invalid(f"{field}.step", bounds["step"], "default is not a multiple of step above min")
    if "max" in bounds and (most - least) % step:
        yield invalid(f"{field}.step", bounds["step"], "max is not a multiple of step above min")
