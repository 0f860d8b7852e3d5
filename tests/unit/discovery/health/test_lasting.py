"""A lost GPU stays in what is offered, with the counters that its devices draw from."""

from __future__ import annotations

import msgspec

from slicewire.common.model import CounterSet, Device, DeviceCounterConsumption, DeviceTaint
from slicewire.discovery.core.health.lasting import Offer
from tests.unit.discovery.health.stories import device

BUS = ("0000:1a:00.0", "0000:1b:00.0", "0000:4a:00.0")


def drawing(place: str, number: int) -> Device:
    use = DeviceCounterConsumption(counter_set=f"gpu-{number}-counter-set", counters={})
    return msgspec.structs.replace(device(f"gpu-{number}", bus=place), consumes_counters=(use,))


EACH = tuple(
    Offer((drawing(place, number),), (CounterSet(name=f"gpu-{number}-counter-set", counters={}),))
    for number, place in enumerate(BUS)
)
ALL = Offer(
    tuple(one.devices[0] for one in EACH), tuple(counters for one in EACH for counters in one.shared_counters)
)


def test_what_stands_at_a_place_comes_with_its_counters() -> None:
    assert ALL.at(frozenset(BUS[1:2])) == EACH[1]
    assert ALL.without(frozenset(BUS[1:])) == EACH[0]


def test_what_is_missing_is_put_back_where_it_was_on_the_bus() -> None:
    left = ALL.without(frozenset(BUS[1:2]))
    completed = left.with_more(ALL)
    assert completed.devices == ALL.devices
    assert {one.name for one in completed.shared_counters} == {one.name for one in ALL.shared_counters}


def test_what_is_offered_anew_at_a_place_is_believed() -> None:
    other = Offer((device("gpu-0", bus=BUS[0], uuid="GPU-new"),))
    assert other.with_more(EACH[0]) is other


def test_a_name_that_another_gpu_has_by_now_is_not_given_twice() -> None:
    renamed = Offer((drawing(BUS[1], 0),), EACH[0].shared_counters)
    assert renamed.with_more(EACH[0]) is renamed


def test_only_the_taints_of_findings_are_taken_off() -> None:
    ours, another = (DeviceTaint(key=key, effect="NoSchedule") for key in ("gpu.nvidia.com/xid", "a/b"))
    marked = msgspec.structs.replace(EACH[0].devices[0], taints=(ours, another))
    assert Offer((marked,)).untainted().devices[0].taints == (another,)
    assert EACH[0].untainted().devices[0] is EACH[0].devices[0]
