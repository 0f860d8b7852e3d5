"""Findings come with looks and events and go when the GPU has recovered, never because nobody looked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicewire.common.nvml.condition import SlowedBy
from slicewire.common.nvml.facts import Event, EventKind, Unseen
from slicewire.common.nvml.refusal import NvmlCode
from slicewire.discovery.core.health.ailments import Ailment
from slicewire.discovery.core.health.course import next_change
from slicewire.discovery.core.health.rules import HealthRules, Recovery, XidRule
from slicewire.discovery.core.health.vitals import Life
from tests.unit.discovery.builders import a_gpu
from tests.unit.discovery.health.stories import NONE, RESET, Story, errors, like, rows, xid

HOT = (SlowedBy.HARDWARE_THERMAL,)
LOST = Unseen("GPU 0", "GPU is lost", "00000000:1A:00.0", NvmlCode.LOST)
QUIET = HealthRules().xid.quiet_seconds


def test_a_healthy_node_has_no_findings() -> None:
    assert Story().look(like(0), like(1)).look(like(0), like(1)).found == set()


def test_what_a_look_shows_lasts_exactly_as_long_as_it_shows_it() -> None:
    story = Story().look(like(0, ecc=errors(1)))
    assert story.found == {(Ailment.UNCORRECTED_ECC, "GPU-0", "1")}
    assert story.look(like(0, ecc=errors(2))).found == {(Ailment.UNCORRECTED_ECC, "GPU-0", "2")}
    assert story.look(like(0, ecc=errors(0))).found == set()


def test_a_finding_keeps_the_time_it_began() -> None:
    story = Story().look(like(0, ecc=errors(1)))
    began = story.now
    (finding,) = story.look(like(0, ecc=errors(2))).health.findings
    assert finding.since == began


def test_a_reading_that_is_missing_for_once_is_no_recovery() -> None:
    story = Story().look(like(0, remapped_rows=rows(pending=True), recovery_action=RESET))
    before = story.found
    assert story.look(a_gpu(0)).found == before
    assert story.without_driver().found == before


def test_heat_must_be_over_for_the_quiet_time() -> None:
    story = Story().look(like(0, slowed_by=HOT))
    cool = like(0, temperature_celsius=40, slowdown_celsius=89)
    assert story.look(cool, after_seconds=10).found == {(Ailment.THERMAL, "GPU-0", "hardwareThermal")}
    assert next_change(story.health, story.rules, story.now) == story.now + 60
    story.look(like(0, slowed_by=HOT), after_seconds=30).look(cool, after_seconds=10)
    assert story.look(cool, after_seconds=59).found
    assert story.look(cool, after_seconds=1).found == set()


def test_a_lost_gpu_is_found_lost_until_it_is_back() -> None:
    story = Story().look(like(0), like(1)).look(like(1), unseen=(LOST,))
    assert story.found == {(Ailment.LOST, "GPU-0", "lost")}
    assert story.without_driver().found == {(Ailment.LOST, "GPU-0", "lost")}
    assert story.look(like(0), like(1)).found == set()


def test_an_xid_is_found_on_its_gpu_and_the_applications_own_are_not() -> None:
    story = Story().look(like(0), like(1)).look(like(0), like(1), events=(xid(94, 1), xid(13, 0)))
    assert story.found == {(Ailment.XID, "GPU-1", "94")}


def test_an_xid_that_needs_no_action_is_over_after_the_quiet_time() -> None:
    story = Story().look(like(0)).look(like(0), events=(xid(94),))
    story.look(like(0), after_seconds=QUIET - 1)
    assert story.found == {(Ailment.XID, "GPU-0", "94")}
    assert story.look(like(0), after_seconds=1).found == set()


def test_an_xid_that_is_reported_again_begins_its_quiet_time_anew() -> None:
    story = Story().look(like(0)).look(like(0), events=(xid(94),))
    began = story.now
    story.look(like(0), events=(xid(94),), after_seconds=QUIET - 1).look(like(0), after_seconds=QUIET - 1)
    (finding,) = story.health.findings
    assert finding.since == began


def test_an_xid_that_needs_a_reset_stays_until_it_was_made() -> None:
    story = Story().look(like(0)).look(like(0, recovery_action=RESET), events=(xid(79),))
    story.look(like(0, recovery_action=RESET), after_seconds=100 * QUIET)
    assert (Ailment.XID, "GPU-0", "79") in story.found
    assert story.look(like(0, recovery_action=NONE)).found == set()


@pytest.mark.parametrize(
    ("recovery", "asks", "is_over"),
    [
        (Recovery.RESET, NONE, False),
        (Recovery.ACTION, NONE, True),
        (Recovery.ACTION, None, False),
        (Recovery.ACTION, RESET, False),
        (Recovery.QUIET, NONE, True),
        (Recovery.QUIET, None, True),
        (Recovery.QUIET, RESET, False),
    ],
)
def test_the_rule_says_whether_quiet_is_recovery(recovery: Recovery, asks: object, *, is_over: bool) -> None:
    story = Story(HealthRules(xid=XidRule(recovery=recovery)))
    gpu = like(0, recovery_action=asks)
    story.look(gpu).look(gpu, events=(xid(94),)).look(gpu, after_seconds=QUIET)
    assert ((Ailment.XID, "GPU-0", "94") not in story.found) is is_over


@pytest.mark.parametrize("life", [Life("boot-2", "7"), Life("boot-1", "8")])
def test_a_driver_or_a_machine_that_began_anew_has_reset_every_gpu(life: Life) -> None:
    rules = HealthRules(xid=XidRule(recovery=Recovery.RESET))
    story = Story(rules).look(like(0), life=Life("boot-1", "7"))
    story.look(like(0), events=(xid(94),), life=Life("boot-1", "7")).without_driver(life=life)
    assert story.found
    assert story.look(like(0), life=life).found == set()


def test_an_xid_that_came_with_the_look_that_shows_a_reset_is_kept() -> None:
    story = Story().look(like(0, ecc=errors(3))).look(like(0, ecc=errors(0)), events=(xid(94),))
    assert story.found == {(Ailment.XID, "GPU-0", "94")}


def test_xids_that_come_while_the_driver_goes_are_not_missed() -> None:
    assert Story().look(like(0)).without_driver(xid(79)).found == {(Ailment.XID, "GPU-0", "79")}


def test_when_nvml_fails_to_report_every_gpu_is_unmonitored_for_a_while() -> None:
    story = Story().look(like(0), like(1)).look(like(0), like(1), events=(Event(EventKind.UNHEARD),))
    assert story.found == {(Ailment.UNMONITORED, f"GPU-{minor}", "") for minor in (0, 1)}
    assert story.look(like(0), like(1)).found == set()


def test_what_is_said_of_a_gpu_goes_when_another_is_in_its_place() -> None:
    story = Story().look(like(0)).look(like(0), events=(xid(94),))
    assert story.look(a_gpu(1, pci_bus_id="00000000:1A:00.0")).found == set()


STEPS = st.sampled_from(["well", "hot", "ecc", "xid", "lost", "away", "reset asked"])


@given(st.lists(STEPS, max_size=12))
def test_whatever_happens_a_finding_is_there_once_and_a_well_gpu_is_well_in_the_end(steps: list[str]) -> None:
    story = Story().look(like(0, ecc=errors(0)))
    for step in steps:
        match step:
            case "away":
                story.without_driver()
            case "lost":
                story.look(unseen=(LOST,))
            case "xid":
                story.look(like(0, ecc=errors(0)), events=(xid(94),))
            case "hot":
                story.look(like(0, slowed_by=HOT))
            case "ecc":
                story.look(like(0, ecc=errors(2)))
            case "reset asked":
                story.look(like(0, recovery_action=RESET))
            case _:
                story.look(like(0, ecc=errors(0)))
        assert (
            len(story.found) == len(story.health.findings) == len({f.identity for f in story.health.findings})
        )
    cool = like(0, ecc=errors(0), temperature_celsius=40, slowdown_celsius=89)
    assert story.look(cool).look(cool, after_seconds=QUIET).found == set()
