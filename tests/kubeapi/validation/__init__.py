"""Would the real server keep this object? One table of checks by kind, run on create and on change.

Problems are values; the caller turns them into one `Invalid` status. What needs other objects to judge
(a namespace that exists, an administrator's label) is admission, in `strategy.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.kubeapi.kinds import CLAIM_TEMPLATES, CLAIMS, DEVICE_CLASSES, EVERY_TAINT_RULES, PODS, SLICES, Kind
from tests.kubeapi.releases import Release
from tests.kubeapi.statuses import Cause
from tests.kubeapi.validation.claim_status import check_status_change
from tests.kubeapi.validation.claims import (
    check_claim,
    check_claim_change,
    check_device_class,
    check_template,
)
from tests.kubeapi.validation.metadata import check_metadata, check_metadata_change
from tests.kubeapi.validation.pods import check_pod, check_pod_change
from tests.kubeapi.validation.problems import Problems
from tests.kubeapi.validation.slices import check_slice, check_slice_before_1_35, check_slice_change
from tests.kubeapi.validation.taint_rules import check_taint_rule

Object = Mapping[str, Any]

_CHECKS: Mapping[Kind, Callable[[Object], Problems]] = {
    SLICES: check_slice,
    CLAIMS: check_claim,
    CLAIM_TEMPLATES: check_template,
    DEVICE_CLASSES: check_device_class,
    PODS: check_pod,
    **dict.fromkeys(EVERY_TAINT_RULES, check_taint_rule),
}
_CHANGE_CHECKS: Mapping[Kind, Callable[[Object, Object], Problems]] = {
    SLICES: check_slice_change,
    CLAIMS: check_claim_change,
    CLAIM_TEMPLATES: check_claim_change,
    PODS: check_pod_change,
}
_STATUS_CHECKS: Mapping[Kind, Callable[[Object, Object], Problems]] = {CLAIMS: check_status_change}
_CHECKED_ONCE = {CLAIMS, CLAIM_TEMPLATES, PODS}
"""Their spec does not change, so it is judged when it is new: what was valid then stays valid."""


def _check_of(kind: Kind, release: Release) -> Callable[[Object], Problems] | None:
    is_before = kind is SLICES and not release.counters_apart
    return check_slice_before_1_35 if is_before else _CHECKS.get(kind)


def problems_of_new(kind: Kind, new: Object, release: Release) -> tuple[Cause, ...]:
    check = _check_of(kind, release)
    return (*check_metadata(new["metadata"]), *(check(new) if check else ()))


def problems_of_change(kind: Kind, old: Object, new: Object, release: Release) -> tuple[Cause, ...]:
    check = None if kind in _CHECKED_ONCE else _check_of(kind, release)
    change_check = _CHANGE_CHECKS.get(kind)
    return (
        *check_metadata_change(old["metadata"], new["metadata"]),
        *check_metadata(new["metadata"]),
        *(check(new) if check else ()),
        *(change_check(old, new) if change_check else ()),
    )


def problems_of_status(kind: Kind, old: Object, new: Object) -> tuple[Cause, ...]:
    check = _STATUS_CHECKS.get(kind)
    return tuple(check(old, new)) if check else ()
