"""A GPU keeps its numbers, whatever the driver and the bus call it next."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from slicewire.discovery.core.names import Named, Names, Sighting


def _saw(bus: str, uuid: str = "", minor: int | None = None, scan: int = 0) -> Sighting:
    return Sighting(pci_bus_id=bus, uuid=uuid, minor=minor, scan=scan)


PAIR = Names().with_seen([_saw("a", "A", 0, 0), _saw("b", "B", 1, 1)])


def test_at_first_sight_the_numbers_are_those_of_nvml_and_of_the_bus() -> None:
    assert PAIR.known == (
        Named(pci_bus_id="a", vfio=0, gpu=0, uuid="A"),
        Named(pci_bus_id="b", vfio=1, gpu=1, uuid="B"),
    )


def test_seen_again_nothing_changes() -> None:
    assert PAIR.with_seen([_saw("b", "B", 1, 1), _saw("a", "A", 0, 0)]) == PAIR


def test_other_minors_after_a_reboot_change_no_name() -> None:
    assert PAIR.with_seen([_saw("a", "A", 1, 0), _saw("b", "B", 0, 1)]) == PAIR


def test_a_gpu_moved_to_another_slot_keeps_its_numbers() -> None:
    moved = PAIR.with_seen([_saw("c", "A", 1, 2), _saw("b", "B", 0, 0)])
    assert (moved.at("c").gpu, moved.at("c").vfio, moved.at("b").gpu) == (0, 0, 1)


def test_a_gpu_that_is_away_keeps_its_numbers_for_its_return() -> None:
    alone = PAIR.with_seen([_saw("b", "B", 0, 0), _saw("c", "C", 1, 1)])
    assert (alone.at("b").gpu, alone.at("c").gpu) == (1, 2)
    assert alone.with_seen([_saw("a", "A", 0, 0)]).at("a") == PAIR.at("a")


def test_a_gpu_in_another_s_slot_has_its_numbers_when_that_one_is_gone() -> None:
    replaced = PAIR.with_seen([_saw("a", "A", 0, 0), _saw("b", "new", 1, 1)])
    assert replaced.at("b") == Named(pci_bus_id="b", vfio=1, gpu=1, uuid="new")
    assert len(replaced.known) == 2


def test_a_gpu_that_went_to_a_virtual_machine_is_known_by_its_slot() -> None:
    assert PAIR.with_seen([_saw("a", scan=0), _saw("b", "B", 0, 1)]) == PAIR


def test_a_gpu_first_seen_without_nvml_gets_its_number_when_nvml_sees_it() -> None:
    before = Names().with_seen([_saw("a", scan=0)])
    assert before.at("a") == Named(pci_bus_id="a", vfio=0)
    after = before.with_seen([_saw("a", "A", 3, 0)])
    assert after.at("a") == Named(pci_bus_id="a", vfio=0, gpu=3, uuid="A")


def test_of_two_newcomers_one_has_the_minor_of_a_gpu_that_is_away_and_the_other_its_own() -> None:
    away = PAIR.with_seen([])
    found = away.with_seen([_saw("c", "C", 0, 0), _saw("d", "D", 2, 1)])
    assert (found.at("c").gpu, found.at("d").gpu) == (3, 2)


_LOOKS = st.lists(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.sampled_from(["", "A", "B", "C", "D"])),
        unique_by=(lambda one: one[0], lambda one: one[1] or one[0]),
        max_size=4,
    ),
    max_size=6,
)


@settings(max_examples=50)
@given(_LOOKS, st.randoms(use_true_random=False))
def test_no_two_gpus_ever_have_one_name_and_none_that_stays_changes_its(
    looks: list[list[tuple[str, str]]], dice: Random
) -> None:
    names = Names()
    for look in looks:
        minors = list(range(len(look)))
        dice.shuffle(minors)
        before = {one.uuid: one.gpu for one in names.known if one.uuid}
        names = names.with_seen(
            _saw(bus, uuid, minor if uuid else None, scan)
            for scan, ((bus, uuid), minor) in enumerate(zip(look, minors, strict=True))
        )
        gpus = [one.gpu for one in names.known if one.gpu is not None]
        assert len(gpus) == len(set(gpus))
        assert len({one.vfio for one in names.known}) == len(names.known)
        assert len({one.pci_bus_id for one in names.known}) == len(names.known)
        for bus, uuid in look:
            found = names.at(bus)
            assert not uuid or (found.uuid == uuid and found.gpu is not None)
            assert not uuid or before.get(uuid) in {None, found.gpu}
