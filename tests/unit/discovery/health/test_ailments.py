"""A look tells an ailment, tells that there is none, or cannot tell: three different things."""

from __future__ import annotations

import pytest

from slicewire.common.nvml.condition import Condition, RecoveryAction, RetiredPages, SlowedBy
from slicewire.discovery.core.health.ailments import TAINT_KEYS, Ailment, ailing
from tests.unit.discovery.builders import a_gpu
from tests.unit.discovery.health.stories import errors, rows

WELL = Condition(
    temperature_celsius=40,
    slowdown_celsius=89,
    recovery_action=RecoveryAction.NONE,
    ecc=errors(0),
    remapped_rows=rows(),
    retired_pages=RetiredPages(single_bit=2, double_bit=0, pending=False),
)


def test_a_gpu_without_any_reading_is_neither_well_nor_ill() -> None:
    assert ailing(a_gpu()) == {}


def test_a_healthy_gpu_is_well_in_all_that_a_look_can_judge() -> None:
    assert ailing(a_gpu(condition=WELL)) == dict.fromkeys(
        set(Ailment) - {Ailment.XID, Ailment.LOST, Ailment.UNMONITORED}, ""
    )


@pytest.mark.parametrize(
    ("condition", "ailment", "value"),
    [
        (Condition(recovery_action=RecoveryAction.DRAIN_AND_RESET), Ailment.RECOVERY_ACTION, "drainAndReset"),
        (Condition(ecc=errors(12)), Ailment.UNCORRECTED_ECC, "12"),
        (Condition(remapped_rows=rows(pending=True)), Ailment.ROW_REMAP_PENDING, "pending"),
        (Condition(remapped_rows=rows(failed=True)), Ailment.ROW_REMAP_FAILED, "failed"),
        (
            Condition(retired_pages=RetiredPages(single_bit=0, double_bit=1, pending=True)),
            Ailment.PAGE_RETIREMENT_PENDING,
            "pending",
        ),
        (Condition(slowed_by=(SlowedBy.HARDWARE_THERMAL,)), Ailment.THERMAL, "hardwareThermal"),
        (Condition(temperature_celsius=89, slowdown_celsius=89), Ailment.THERMAL, "overSlowdown"),
    ],
)
def test_each_reading_has_its_ailment(condition: Condition, ailment: Ailment, value: str) -> None:
    assert ailing(a_gpu(condition=condition))[ailment] == value


@pytest.mark.parametrize("cause", [SlowedBy.POWER_CAP, SlowedBy.SYNC_BOOST, SlowedBy.THERMAL])
def test_a_gpu_that_is_slowed_for_another_reason_is_not_too_hot(cause: SlowedBy) -> None:
    condition = Condition(temperature_celsius=70, slowdown_celsius=89, slowed_by=(cause,))
    assert ailing(a_gpu(condition=condition)) == {Ailment.THERMAL: ""}


def test_every_ailment_has_a_taint_key_of_its_own_within_what_kubernetes_takes() -> None:
    assert TAINT_KEYS.keys() == set(Ailment)
    assert len(set(TAINT_KEYS.values())) == len(Ailment)
    assert all(len(key.partition("/")[2]) <= 63 for key in TAINT_KEYS.values())
