"""Whatever happened to the stored slices, one difference makes the pool whole again."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from slicewire.common.model import Device, DeviceName, DeviceTaint, NodeName, ResourceSlice
from slicewire.publisher.core.difference import Delete, difference
from slicewire.publisher.core.slices import PoolWanted, desired_slices, index_of
from tests.unit.publisher.storing import (
    DRIVER,
    NODE,
    SliceStore,
    a_pool,
    counter_sets,
    edited,
    of_generation,
)

TIMES = st.none() | st.sampled_from(["2026-11-20T08:00:00Z", "2026-11-20T08:00:01Z", "2026-11-20T08:00:05Z"])
TAINTS = st.lists(
    st.builds(DeviceTaint, key=st.sampled_from("ab"), effect=st.just("NoExecute"), time_added=TIMES),
    max_size=2,
).map(tuple)


@st.composite
def pools(draw: st.DrawFn) -> PoolWanted:
    """Between one slice and six, and devices that move between them."""
    numbers = range(draw(st.integers(0, 2)), draw(st.sampled_from([0, 1, 2, 64, 65, 130])))
    taints = draw(TAINTS)
    return a_pool(
        tuple(Device(name=DeviceName(f"gpu-{number}"), taints=taints) for number in numbers),
        uid=draw(st.sampled_from(["uid-1", "uid-2"])),
        shared_counters=counter_sets(draw(st.sampled_from([0, 1, 9, 17]))),
        taints=draw(TAINTS),
    )


Meddling = Callable[[ResourceSlice], tuple[ResourceSlice, ...]]

MEDDLING: dict[str, Meddling] = {
    "left alone": lambda found: (found,),
    "lost": lambda found: (),
    "newer": lambda found: (of_generation(found, found.spec.pool.generation + 3),),
    "renamed": lambda found: (edited(found, {"name": f"{NODE}-{DRIVER}-{found.metadata.uid}"}),),
    "wider index": lambda found: (edited(found, {"name": f"0{found.metadata.name}"}),),
    "twice": lambda found: (found, _twin(found)),
    "emptied": lambda found: (edited(found, devices=(), shared_counters=()),),
    "astray": lambda found: (edited(found, node_name=NodeName("node-b")),),
}
"""What accidents, other publishers and older versions leave behind."""

WAYS = st.just("left alone") | st.sampled_from(sorted(MEDDLING))


def _twin(found: ResourceSlice) -> ResourceSlice:
    meta = found.metadata
    return edited(found, {"name": f"{meta.name[:-5]}aaaaa", "uid": f"twin-of-{meta.uid}"})


@given(pools(), st.lists(WAYS, min_size=6, max_size=6), pools(), st.randoms(use_true_random=False))
def test_one_difference_makes_any_store_whole(
    before: PoolWanted, ways: list[str], wanted: PoolWanted, chance: Random
) -> None:
    first = SliceStore()
    first.publish(before)
    actual = [kept for found, how in zip(first.slices, ways, strict=False) for kept in MEDDLING[how](found)]
    chance.shuffle(actual)
    store = SliceStore(actual)
    changes = store.publish(wanted)

    assert difference(desired_slices(wanted), store.slices) == ()
    ordered = sorted(store.slices, key=lambda found: found.metadata.name)
    assert [index_of(found.metadata.name, DRIVER, NODE) for found in ordered] == list(range(len(ordered)))
    assert {found.spec.pool.resource_slice_count for found in ordered} == {len(ordered)}
    (generation,) = {found.spec.pool.generation for found in ordered}
    assert generation >= max((found.spec.pool.generation for found in actual), default=1)
    names = [device.name for found in ordered for device in found.spec.devices]
    assert names == [device.name for device in wanted.devices]
    assert changes == difference(desired_slices(wanted), tuple(reversed(actual)))


@given(pools(), pools())
def test_every_deletion_goes_first_and_a_pool_that_goes_leaves_nothing(
    before: PoolWanted, wanted: PoolWanted
) -> None:
    store = SliceStore()
    store.publish(before)
    kinds = [type(change).__name__ for change in store.publish(wanted)]
    assert kinds == sorted(kinds, key=["Delete", "Update", "Create"].index)
    goodbye = difference((), store.slices)
    assert all(isinstance(change, Delete) for change in goodbye)
    store.apply(goodbye)
    assert store.slices == ()
