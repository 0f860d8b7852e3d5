"""Taints and tolerations."""

from __future__ import annotations

import pytest

from slicewire.allocator.core.taints import untolerated
from slicewire.common.model import DeviceTaint, DeviceToleration

BROKEN = DeviceTaint(key="health", value="broken", effect="NoExecute")


@pytest.mark.parametrize(
    ("toleration", "tolerated"),
    [
        (DeviceToleration(key="health", value="broken"), True),
        (DeviceToleration(key="health", operator="", value="broken"), True),
        (DeviceToleration(key="health", value="poor"), False),
        (DeviceToleration(key="health", operator="Exists"), True),
        (DeviceToleration(operator="Exists"), True),
        (DeviceToleration(value="broken"), True),
        (DeviceToleration(key="other", operator="Exists"), False),
        (DeviceToleration(key="health", operator="Exists", effect="NoExecute"), True),
        (DeviceToleration(key="health", operator="Exists", effect="NoSchedule"), False),
        (DeviceToleration(key="health", operator="Matches", value="broken"), False),
    ],
)
def test_a_toleration_matches_by_effect_key_and_value(toleration: DeviceToleration, tolerated: bool) -> None:
    assert (untolerated((BROKEN,), (toleration,)) is None) is tolerated


@pytest.mark.parametrize("effect", ["None", "", "NoFuture"])
def test_only_known_effects_keep_claims_away(effect: str) -> None:
    assert untolerated((DeviceTaint(key="health", effect=effect),), ()) is None


def test_the_first_taint_that_is_not_tolerated_is_named() -> None:
    managed = DeviceTaint(key="managed", effect="NoSchedule")

    assert untolerated((BROKEN, managed), (DeviceToleration(key="health", operator="Exists"),)) == managed
