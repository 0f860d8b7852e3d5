"""Thousands of equal devices cost the memory of one; nothing that was told is told differently."""

from __future__ import annotations

from slicewire.allocator.core.sharing import sharing
from slicewire.allocator.core.stock import drawn_by
from slicewire.common.model import Device, wire
from tests.builders import a_gpu, a_shared_gpu, a_slice

DRAWS = {"set": {"slices": "1", "memory": "1024Mi"}}


def device(made: Device) -> Device:
    return sharing(a_slice([made])).spec.devices[0]


def test_what_comes_out_is_what_went_in() -> None:
    devices = [a_gpu(0, uuid="GPU-0", draws=DRAWS), a_shared_gpu(1, memory="1.5Gi")]
    published = a_slice(devices)
    assert wire.encode(sharing(published)) == wire.encode(published)
    assert sharing(published) == published


def test_equal_parts_are_one_object_whichever_device_they_are_of() -> None:
    first, second = device(a_gpu(0, draws=DRAWS)), device(a_gpu(7, draws=DRAWS))
    assert first.attributes["type"] is second.attributes["type"]
    assert first.capacity is second.capacity
    assert first.consumes_counters[0] is second.consumes_counters[0]
    assert drawn_by(first) is drawn_by(second)


def test_equal_amounts_stay_written_as_they_were() -> None:
    first, second = device(a_gpu(memory="1Gi")), device(a_gpu(memory="1024Mi"))
    assert [each.capacity["memory"].value.text for each in (first, second)] == ["1Gi", "1024Mi"]
