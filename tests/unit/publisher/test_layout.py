"""How a pool is cut for a release that wants counters and devices in one slice."""

from __future__ import annotations

import msgspec

from slicewire.common.model import (
    Counter,
    CounterSet,
    Device,
    DeviceCounterConsumption,
    DeviceName,
    DriverName,
    NodeName,
    PoolName,
    Quantity,
)
from slicewire.common.model.slicing import SliceContent, cut_into_slices
from slicewire.publisher.core.layout import cut
from slicewire.publisher.core.slices import Owner, PoolWanted, desired_slices, left_out

ONE = {"memory": Counter(value=Quantity("1Gi"))}


def a_set(name: str) -> CounterSet:
    return CounterSet(name=name, counters=ONE)


def a_part(name: str, *sets: str) -> Device:
    drawn = tuple(DeviceCounterConsumption(counter_set=each, counters=ONE) for each in sets)
    return Device(name=DeviceName(name), consumes_counters=drawn)


def names(content: SliceContent) -> tuple[list[str], list[str]]:
    return [each.name for each in content.devices], [each.name for each in content.shared_counters]


def test_counters_that_go_apart_go_as_everywhere_else() -> None:
    devices, counters = (a_part("a", "x"),), (a_set("x"),)
    assert cut(devices, counters, counters_apart=True) == cut_into_slices(devices, counters)


def test_each_set_is_with_the_devices_that_draw_from_it() -> None:
    devices = (a_part("a", "x"), a_part("b", "y"), a_part("c", "x"), a_part("plain"))
    found = cut(devices, (a_set("x"), a_set("y")), counters_apart=False)
    assert [names(each) for each in found] == [(["a", "c"], ["x"]), (["b"], ["y"]), (["plain"], [])]


def test_sets_that_one_device_draws_from_are_together() -> None:
    devices = (a_part("a", "x"), a_part("b", "x", "y"), a_part("c", "y"), a_part("d", "z"))
    found = cut(devices, (a_set("x"), a_set("y"), a_set("z")), counters_apart=False)
    assert [names(each) for each in found] == [(["a", "b", "c"], ["x", "y"]), (["d"], ["z"])]


def test_a_set_that_nobody_draws_from_is_published_all_the_same() -> None:
    assert [names(each) for each in cut((), (a_set("x"),), counters_apart=False)] == [([], ["x"])]


def test_without_counters_the_release_makes_no_difference() -> None:
    devices = tuple(Device(name=DeviceName(f"gpu-{index}")) for index in range(130))
    for apart in (True, False):
        assert cut(devices, (), counters_apart=apart) == cut_into_slices(devices, ())
    assert cut((), (), counters_apart=False) == (SliceContent(),)


def test_a_group_that_a_slice_cannot_hold_is_as_full_as_it_can_be_and_the_rest_has_names() -> None:
    parts = tuple(a_part(f"part-{number}", "x") for number in range(130))
    owner = Owner(name=NodeName("n"), uid="u")
    wanted = PoolWanted(
        owner=owner,
        driver=DriverName("d"),
        pool=PoolName("n"),
        devices=(*parts, a_part("lost", "nowhere"), Device(name=DeviceName("plain"))),
        shared_counters=(a_set("x"),),
        counters_apart=False,
    )
    slices = desired_slices(wanted)
    assert [len(found.spec.devices) for found in slices] == [128, 1]
    assert left_out(wanted, slices) == ("part-128", "part-129", "lost")
    apart = msgspec.structs.replace(wanted, counters_apart=True)
    assert left_out(apart, desired_slices(apart)) == ()
