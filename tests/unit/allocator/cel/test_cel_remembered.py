"""Compiled selectors are remembered, and however many there are, only so much of them."""

from __future__ import annotations

import weakref

from slicewire.allocator.core.cel import Program, compile_derivation, compile_selector
from slicewire.allocator.core.cel.remembered import Remembered
from slicewire.allocator.core.selectors import Judge, Selection, selection_of
from slicewire.common.model import CELDeviceSelector, DeviceClass, DeviceSelector


def test_the_same_text_is_compiled_once() -> None:
    assert compile_selector("device.driver == 'once'") is compile_selector("device.driver == 'once'")
    assert compile_derivation("device.driver") is compile_derivation("device.driver")


def test_ten_thousand_selectors_do_not_stay() -> None:
    compiled = []
    for number in range(10_000):
        program = compile_selector(f"true // {number}")
        assert isinstance(program, Program)
        compiled.append(weakref.ref(program))
    alive = [reference() is not None for reference in compiled]
    assert 1000 < sum(alive) < 2000
    assert all(alive[-1000:])


def test_of_long_selectors_fewer_stay() -> None:
    compiled = []
    for number in range(60):
        program = compile_selector(f"{number} == 1 // {'long ' * 1900}")
        assert isinstance(program, Program)
        compiled.append(weakref.ref(program))
    assert sum(reference() is not None for reference in compiled) < 30


def test_judges_do_not_stay_either() -> None:
    judges: list[weakref.ref[Judge]] = []
    for number in range(3000):
        selector = DeviceSelector(cel=CELDeviceSelector(expression=f"true // {number}"))
        selection = selection_of(DeviceClass(), "claim", (selector,))
        assert isinstance(selection, Selection)
        judges.append(weakref.ref(selection.judge))
    assert sum(reference() is not None for reference in judges) < 2000


def room(texts: int) -> Remembered[str, int]:
    """For this many texts of ten characters."""
    return Remembered(texts * 138)


def test_what_was_not_asked_for_longest_goes_first() -> None:
    remembered = room(2)
    remembered.keep("one", 1, 10)
    remembered.keep("two", 2, 10)
    assert remembered.get("one") == 1
    remembered.keep("three", 3, 10)
    assert [remembered.get(key) for key in ("one", "two", "three")] == [1, None, 3]


def test_a_long_text_takes_the_room_of_several() -> None:
    remembered = room(3)
    for number in range(3):
        remembered.keep(str(number), number, 10)
    remembered.keep("long", 9, 130)
    assert [remembered.get(key) for key in ("0", "1", "2", "long")] == [None, None, 2, 9]


def test_what_is_larger_than_all_the_room_is_given_back_and_not_kept() -> None:
    remembered = room(2)
    assert remembered.keep("huge", 7, 1000) == 7
    assert len(remembered) == 0
    remembered.keep("one", 1, 10)
    remembered.keep("two", 2, 10)
    assert len(remembered) == 2


def test_a_key_kept_again_takes_its_room_once() -> None:
    remembered = room(2)
    for value in range(5):
        remembered.keep("one", value, 10)
    remembered.keep("two", 2, 10)
    assert (remembered.get("one"), remembered.get("two")) == (4, 2)
