"""The section `health:` of the node policy: complete by default, strict when it is written."""

from __future__ import annotations

import pytest

from slicewire.common.model import wire
from slicewire.discovery.core.health.ailments import Ailment
from slicewire.discovery.core.health.rules import APPLICATION_XIDS, Effect, HealthRules, Recovery


def test_by_default_nobody_new_gets_an_ill_device_and_nobody_is_driven_out() -> None:
    rules = HealthRules()
    effects = {ailment: rules.effect(ailment, "79") for ailment in Ailment}
    assert effects.pop(Ailment.UNMONITORED) is Effect.NONE
    assert set(effects.values()) == {Effect.NO_SCHEDULE}


@pytest.mark.parametrize("code", APPLICATION_XIDS)
def test_the_errors_of_applications_are_ignored(code: int) -> None:
    assert HealthRules().effect(Ailment.XID, str(code)) is Effect.OFF


def test_an_operator_overrides_single_rules_and_the_others_stay() -> None:
    rules = wire.strictly(
        {
            "xid": {"effects": {79: "NoExecute", 13: "None"}, "recovery": "quiet", "ignored": [13, 94]},
            "thermal": {"effect": "Off"},
            "gpuLost": {"effect": "NoExecute", "quietSeconds": 30},
        },
        HealthRules,
    )
    assert rules.effect(Ailment.XID, "79") is Effect.NO_EXECUTE
    assert rules.effect(Ailment.XID, "13") is Effect.NONE
    assert rules.effect(Ailment.XID, "94") is Effect.OFF
    assert rules.effect(Ailment.XID, "31") is Effect.NO_SCHEDULE
    assert rules.xid.recovery is Recovery.QUIET
    assert rules.xid.quiet_seconds == HealthRules().xid.quiet_seconds
    assert rules.effect(Ailment.THERMAL, "hardwareThermal") is Effect.OFF
    assert (rules.effect(Ailment.LOST, "lost"), rules.quiet_seconds(Ailment.LOST)) == (Effect.NO_EXECUTE, 30)
    assert rules.row_remap_failed == HealthRules().row_remap_failed


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"termal": {}}, "termal"),
        ({"thermal": {"effekt": "Off"}}, "effekt"),
        ({"thermal": {"effect": "NoSchedul"}}, "NoSchedul"),
        ({"thermal": {"quietSeconds": -1}}, "$.thermal.quietSeconds"),
        ({"xid": {"ignored": ["13"]}}, "$.xid.ignored[0]"),
        ({"xid": {"recovery": "never"}}, "never"),
    ],
)
def test_a_wrong_rule_is_an_error_that_names_it(written: object, said: str) -> None:
    with pytest.raises(wire.Malformed) as error:
        wire.strictly(written, HealthRules)
    assert said in str(error.value)
