"""Selectors: of the class, then of the request; evaluated once for devices that look alike."""

from __future__ import annotations

from slicewire.allocator.core.faults import Fault
from slicewire.allocator.core.features import DEFAULT
from slicewire.allocator.core.objections import NotSelected
from slicewire.allocator.core.selectors import Selection, selection_of
from slicewire.allocator.core.stock import Candidate
from slicewire.common.model import Device, DeviceAttribute
from tests.builders import NODE, a_class, a_gpu, a_slice, a_snapshot, cel

OF_CLASS = 'device.driver == "gpu.nvidia.com"'
MODEL = 'device.attributes["gpu.nvidia.com"].model'


def candidates(*devices: Device) -> tuple[Candidate, ...]:
    return a_snapshot(a_slice(devices)).stock(NODE, DEFAULT).candidates


def the_selection(*selectors: str, of_class: str = OF_CLASS) -> Selection:
    made = selection_of(a_class("gpus", of_class), "default/train", cel(*selectors))
    assert isinstance(made, Selection)
    return made


def test_a_device_that_all_selectors_want_meets_no_objection() -> None:
    (device,) = candidates(a_gpu(model="H100"))

    assert the_selection(f'{MODEL} == "H100"').objection(device) is None


def test_the_first_selector_that_says_no_is_named_with_the_part_that_is_false() -> None:
    (device,) = candidates(a_gpu(model="A100"))
    selection = the_selection("true", f'{MODEL} == "H100" && true')

    objection = selection.objection(device)

    assert objection == NotSelected("claim default/train: selector #1", 2, False)
    explained = selection.explained(device, objection)
    assert str(explained) == f'claim default/train: selector #1: {MODEL} == "H100" is false'


def test_the_class_is_asked_first() -> None:
    (device,) = candidates(a_gpu())

    objection = the_selection("false", of_class="false").objection(device)

    assert objection == NotSelected("class gpus: selector #0", 0, True)


def test_an_evaluation_that_fails_is_a_fault_and_never_a_no() -> None:
    (device,) = candidates(a_gpu())

    fault = the_selection(f'{MODEL} == "H100"').objection(device)

    assert isinstance(fault, Fault)
    assert fault.message.startswith(
        "claim default/train: selector #0 on device gpu.nvidia.com/node-a/gpu-0: CEL runtime error: "
    )


def test_an_expression_that_does_not_compile_is_a_fault_before_any_device_is_seen() -> None:
    fault = selection_of(a_class("gpus", "nonsense"), "default/train", ())

    assert isinstance(fault, Fault)
    assert fault.message.startswith("class gpus: selector #0: CEL compile error: ")


def test_devices_that_look_alike_are_judged_once_and_others_for_themselves() -> None:
    first, second, other = candidates(a_gpu(0, model="H100"), a_gpu(1, model="H100"), a_gpu(2, model="A100"))
    selection = the_selection(f'{MODEL} == "H100" || 1 == 2')

    verdicts = [selection.objection(device) is None for device in (first, second, other, first)]

    assert verdicts == [True, True, False, True]
    assert len(selection.judge._verdicts) == 2


def test_an_attribute_of_a_future_type_is_noticed_beside_one_that_looks_alike() -> None:
    sound, strange = candidates(a_gpu(0, model="H100"), a_gpu(1, model="H100", future=DeviceAttribute()))
    selection = the_selection(f'{MODEL} == "H100"')

    assert selection.objection(sound) is None
    assert isinstance(selection.objection(strange), Fault)


def test_what_an_expression_reads_cannot_always_be_told_and_then_every_device_is_judged() -> None:
    one, many = candidates(a_gpu(0, extra=1), a_gpu(1))
    selection = the_selection('size(device.attributes["gpu.nvidia.com"]) == 3')

    assert [selection.objection(device) is None for device in (one, many)] == [True, False]
