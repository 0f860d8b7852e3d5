"""GPUs from one look to the next: who is there, who fell off, who was reset."""

from __future__ import annotations

import pytest

from slicewire.common.nvml.condition import RecoveryAction
from slicewire.common.nvml.facts import Unseen
from slicewire.common.nvml.refusal import NvmlCode
from slicewire.discovery.core.health.vitals import Life, Presence, Vital, was_reset
from tests.unit.discovery.builders import a_gpu, a_place
from tests.unit.discovery.health.stories import NONE, RESET, Story, like

LOST = Unseen("GPU 1", "GPU is lost", "00000000:1B:00.0", NvmlCode.LOST)
FIRST_ONLY = (a_place("1a"),)


def test_a_gpu_that_nvml_calls_lost_is_lost() -> None:
    assert Story().look(like(0), like(1)).look(like(0), unseen=(LOST,)).presence == {
        "GPU-0": "here",
        "GPU-1": "lost",
    }


def test_a_lost_gpu_that_no_longer_says_where_it_was_is_the_one_that_is_missing() -> None:
    nameless = Unseen("GPU with NVML index 1", "GPU is lost", "", NvmlCode.LOST)
    assert Story().look(like(0), like(1)).look(like(0), unseen=(nameless,)).presence["GPU-1"] == "lost"


def test_a_gpu_that_neither_nvml_nor_the_bus_has_is_gone() -> None:
    assert Story().look(like(0), like(1)).look(like(0), on_the_bus=FIRST_ONLY).presence["GPU-1"] == "gone"


@pytest.mark.parametrize(
    ("unseen", "driver"),
    [((), "vfio-pci"), ((Unseen("GPU 1", "Unknown Error", "00000000:1B:00.0", NvmlCode.UNKNOWN),), "nvidia")],
)
def test_a_gpu_that_another_driver_has_or_that_cannot_be_read_is_not_lost(
    unseen: tuple[Unseen, ...], driver: str
) -> None:
    bus = (a_place("1a"), a_place("1b", driver=driver))
    assert Story().look(like(0), like(1)).look(like(0), unseen=unseen, on_the_bus=bus).presence["GPU-1"] == (
        "elsewhere"
    )


def test_without_a_driver_every_gpu_is_as_it_was() -> None:
    story = Story().look(like(0), like(1)).look(like(0), unseen=(LOST,))
    before = story.health
    assert story.without_driver().health == before


def test_another_gpu_in_its_place_makes_the_old_one_forgotten() -> None:
    story = Story().look(like(0), like(1)).look(like(0), unseen=(LOST,))
    assert story.look(like(0), a_gpu(1, uuid="GPU-new")).presence == {"GPU-0": "here", "GPU-new": "here"}


def test_a_machine_that_started_anew_without_the_gpu_forgets_it_and_a_driver_does_not() -> None:
    story = Story().look(like(0), like(1), life=Life("boot-1", "7"))
    story.look(like(0), on_the_bus=FIRST_ONLY, life=Life("boot-1", "8"))
    assert story.presence["GPU-1"] == "gone"
    story.look(like(0), on_the_bus=FIRST_ONLY, life=Life("boot-2", "9"))
    assert story.presence == {"GPU-0": "here"}


def a_vital(**known: object) -> Vital:
    return Vital(**{"gpu": "GPU-0", "bus_id": "0000:1a:00.0", **known})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (a_vital(presence=Presence.LOST), a_vital()),
        (a_vital(presence=Presence.GONE), a_vital()),
        (a_vital(uncorrected=3), a_vital(uncorrected=0)),
        (a_vital(remap_pending=True), a_vital(remap_pending=False)),
        (a_vital(action=RESET), a_vital(action=NONE)),
        (a_vital(action=RecoveryAction.DRAIN_AND_RESET), a_vital(action=NONE)),
    ],
)
def test_what_only_a_reset_brings_about_is_one(before: Vital, now: Vital) -> None:
    assert was_reset(before, now)


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (a_vital(), a_vital()),
        (a_vital(uncorrected=3), a_vital(uncorrected=4)),
        (a_vital(uncorrected=3), a_vital()),
        (a_vital(remap_pending=True), a_vital()),
        (a_vital(action=RESET), a_vital()),
        (a_vital(action=RecoveryAction.DRAIN_PEERS), a_vital(action=NONE)),
        (a_vital(presence=Presence.ELSEWHERE), a_vital()),
        (a_vital(action=RESET), a_vital(presence=Presence.GONE, action=NONE)),
    ],
)
def test_a_reading_that_is_missing_and_what_happens_otherwise_are_none(before: Vital, now: Vital) -> None:
    assert not was_reset(before, now)
