"""The NVML door stays shut while a GPU is about to be taken from its driver."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from slicewire.common.nvml.facts import NodeFacts, NvmlAbsent
from slicewire.common.nvml.simulated import SimulatedNvml
from slicewire.common.nvml.simulated.state import new_node
from slicewire.discovery.seeing import SeeingNvml


class Door(SimulatedNvml):
    """Counts."""

    looks = 0
    let_gos = 0

    def look(self) -> NodeFacts | NvmlAbsent:
        self.looks += 1
        return super().look()

    def let_go(self) -> None:
        self.let_gos += 1


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    made = Door(tmp_path / "state.json", new_node("node-a", "h100", 2))
    with closing(made):
        made.look()
        made.looks = 0
        yield made


def reserve(door: Door, driver: str) -> None:
    place = "sys/bus/pci/devices/0000:1a:00.0/driver_override"
    (door.sysfs_root / place).write_text(f"{driver}\n")


def test_a_look_opens_the_gpus(door: Door) -> None:
    assert isinstance(SeeingNvml(door).look(), NodeFacts)
    assert (door.looks, door.let_gos) == (1, 0)


def test_once_a_gpu_is_reserved_for_a_machine_nothing_is_opened_and_what_was_seen_stands(door: Door) -> None:
    seeing = SeeingNvml(door)
    before = seeing.look()
    reserve(door, "vfio-pci")
    assert seeing.look() is before
    assert (door.looks, door.let_gos) == (1, 1)


def test_when_the_reservation_is_over_it_looks_again(door: Door) -> None:
    seeing = SeeingNvml(door)
    seeing.look()
    reserve(door, "vfio-pci")
    seeing.look()
    reserve(door, "")
    seeing.look()
    assert (door.looks, door.let_gos) == (2, 1)


def test_a_reservation_that_comes_to_nothing_does_not_blind_it(door: Door) -> None:
    clock = Clock()
    seeing = SeeingNvml(door, clock)
    seeing.look()
    reserve(door, "vfio-pci")
    seeing.look()
    clock.now = 120.0
    seeing.look()
    assert (door.looks, door.let_gos) == (2, 1)


def test_the_first_look_sees_in_any_case(door: Door) -> None:
    reserve(door, "vfio-pci")
    assert isinstance(SeeingNvml(door).look(), NodeFacts)
