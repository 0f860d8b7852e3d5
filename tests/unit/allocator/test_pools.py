"""Gathering: the newest generation of every pool, in order, and what is wrong with it."""

from __future__ import annotations

import pytest

from slicewire.allocator.core.features import DEFAULT, Features
from slicewire.allocator.core.nodes import NodeView
from slicewire.allocator.core.pools import gather, pool_id
from slicewire.allocator.core.stock import Pool, Trouble
from slicewire.common.model import (
    Device,
    NodeName,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    ResourceSlice,
)
from tests.builders import NODE, a_counter_set, a_gpu, a_slice

VIEW = NodeView(NODE, {"zone": "east"})


def gathered(*slices: ResourceSlice, features: Features = DEFAULT, elsewhere: int = 0) -> tuple[Pool, ...]:
    """The last `elsewhere` slices are seen only by who asks for whole pools."""
    here = slices[: len(slices) - elsewhere]
    return gather(here, VIEW, features, lambda id_: [each for each in slices if pool_id(each) == id_])


def in_zone(zone: str) -> NodeSelector:
    requirement = NodeSelectorRequirement(key="zone", operator="In", values=(zone,))
    return NodeSelector(node_selector_terms=(NodeSelectorTerm(match_expressions=(requirement,)),))


def names(*pools: Pool) -> list[str]:
    return [candidate.device.name for pool in pools for candidate in pool.devices]


def test_only_the_newest_generation_counts() -> None:
    (pool,) = gathered(
        a_slice([a_gpu(name="old")], generation=1),
        a_slice([a_gpu(name="new")], generation=2),
    )

    assert names(pool) == ["new"]
    assert pool.is_usable


def test_slices_are_in_the_order_of_their_names_and_devices_in_that_of_the_slice() -> None:
    (pool,) = gathered(
        a_slice([a_gpu(3), a_gpu(2)], name="b", of=2),
        a_slice([a_gpu(1), a_gpu(0)], name="a", of=2),
    )

    assert names(pool) == ["gpu-1", "gpu-0", "gpu-3", "gpu-2"]


def test_pools_are_sorted_by_driver_and_name_and_those_with_binding_conditions_come_last() -> None:
    bound = Device(name=a_gpu().name, binding_conditions=("ready",), binding_failure_conditions=("broken",))

    pools = gathered(
        a_slice([bound], driver="a", pool="1"),
        a_slice([a_gpu()], driver="b", pool="2"),
        a_slice([a_gpu()], driver="b", pool="1"),
        a_slice([a_gpu()], driver="a", pool="2"),
    )

    assert [str(pool.id) for pool in pools] == ["a/2", "b/1", "b/2", "a/1"]


def test_a_pool_with_a_slice_missing_is_incomplete_and_says_how_many_there_are() -> None:
    (pool,) = gathered(a_slice([a_gpu()], of=2, generation=7))

    assert (pool.trouble, pool.reason) == (Trouble.INCOMPLETE, "1 of 2 slices of generation 7 are published")


def test_a_pool_with_a_slice_too_many_is_incomplete() -> None:
    (pool,) = gathered(a_slice([a_gpu(0)], name="a"), a_slice([a_gpu(1)], name="b"))

    assert pool.trouble is Trouble.INCOMPLETE


def test_slices_for_other_nodes_make_a_pool_whole() -> None:
    here = a_slice([a_gpu(0)], pool="rack", of=2)
    there = a_slice([a_gpu(1)], node="node-b", pool="rack", of=2)

    (pool,) = gathered(here, there, elsewhere=1)

    assert names(pool) == ["gpu-0"]
    assert [device.name for device in pool.elsewhere] == ["gpu-1"]


def test_a_pool_that_is_being_replaced_from_another_node_is_left_out() -> None:
    old = a_slice([a_gpu(0)], pool="rack", of=2, generation=1)
    new = a_slice([a_gpu(1)], node="node-b", pool="rack", of=2, generation=2)

    assert gathered(old, new, elsewhere=1) == ()


@pytest.mark.parametrize(
    ("slices", "reason"),
    [
        ((a_slice([a_gpu(0), a_gpu(0)]),), "two devices are named gpu-0"),
        (
            (a_slice(sets=[a_counter_set("memory", slices="8"), a_counter_set("memory", slices="8")]),),
            "two counter sets are named memory",
        ),
        (
            (a_slice([a_gpu(0, draws={"memory": {"slices": "1"}})]),),
            "device gpu-0 draws from counter set memory, which is not published",
        ),
        (
            (
                a_slice([a_gpu(0, draws={"memory": {"slices": "1"}})], name="a", of=2),
                a_slice(sets=[a_counter_set("memory", bytes="8")], name="b", of=2),
            ),
            "device gpu-0 draws from counter memory/slices, which is not published",
        ),
    ],
)
def test_a_pool_that_contradicts_itself_is_invalid_and_says_why(
    slices: tuple[ResourceSlice, ...], reason: str
) -> None:
    (pool,) = gathered(*slices)

    assert (pool.trouble, pool.reason) == (Trouble.INVALID, reason)


def test_a_slice_is_for_the_nodes_it_selects() -> None:
    pools = gathered(
        a_slice([a_gpu()], node=None, pool="everywhere", all_nodes=True),
        a_slice([a_gpu()], node=None, pool="east", node_selector=in_zone("east")),
        a_slice([a_gpu()], node=None, pool="west", node_selector=in_zone("west")),
        a_slice([a_gpu()], node="node-b"),
        a_slice([a_gpu()], node=None, pool="unknown-way"),
    )

    assert [pool.id.pool for pool in pools] == ["east", "everywhere"]


def test_devices_may_select_nodes_one_by_one() -> None:
    devices = [
        Device(name=a_gpu(0).name, node_name=NodeName("node-b")),
        Device(name=a_gpu(1).name, node_name=NODE),
        Device(name=a_gpu(2).name, all_nodes=True),
        Device(name=a_gpu(3).name, node_selector=in_zone("west")),
    ]
    published = a_slice(devices, node=None, pool="rack", per_device_node_selection=True)

    (pool,) = gathered(published)

    assert [candidate.in_reach for candidate in pool.devices] == [False, True, True, False]
    assert gathered(published, features=Features(partitionable_devices=False)) == ()


def test_a_node_selector_that_cannot_be_read_makes_its_own_pool_invalid_and_no_other() -> None:
    requirement = NodeSelectorRequirement(key="zone", operator="Near", values=("east",))
    strange = NodeSelector(node_selector_terms=(NodeSelectorTerm(match_expressions=(requirement,)),))

    healthy, broken = gathered(
        a_slice([a_gpu()], pool="a"), a_slice([a_gpu()], node=None, pool="b", node_selector=strange)
    )

    assert healthy.is_usable
    assert (
        broken.reason
        == "the node selector of slice slice-0 cannot be read: key zone: unknown operator 'Near'"
    )
