"""The snapshot: successors, what they share, and that the order of telling does not matter."""

from __future__ import annotations

from itertools import permutations

from slicewire.allocator.core.features import DEFAULT
from slicewire.allocator.core.snapshot import EMPTY, NodeView, Snapshot
from slicewire.common.model import NodeName, PoolID, ResourceSlice
from tests.builders import CLASS, DRIVER, NODE, a_class, a_gpu, a_holding, a_pool, a_slice

OTHER = NodeName("node-b")


def device_names(snapshot: Snapshot, node: NodeName = NODE) -> list[str]:
    return [candidate.device.name for candidate in snapshot.stock(node, DEFAULT).candidates]


def test_telling_slices_again_replaces_all_that_was_told_under_the_key() -> None:
    before = EMPTY.with_slices(NODE, DRIVER, a_pool(gpus=2))

    after = before.with_slices(NODE, DRIVER, (a_slice([a_gpu(7)]),))

    assert device_names(after) == ["gpu-7"]
    assert device_names(before) == ["gpu-0", "gpu-1"]


def test_telling_the_same_thing_twice_gives_the_same_snapshot_back() -> None:
    (pool,) = a_pool(gpus=1)
    told = (
        EMPTY.with_slices(NODE, DRIVER, (pool,))
        .with_node(NodeView(NODE, {"zone": "east"}))
        .with_class(a_class())
        .with_holdings(NODE, DRIVER, (a_holding("a", pool, "gpu-0"),))
    )

    again = (
        told.with_slices(NODE, DRIVER, a_pool(gpus=1))
        .with_node(NodeView(NODE, {"zone": "east"}))
        .with_class(a_class())
        .with_holdings(NODE, DRIVER, (a_holding("a", pool, "gpu-0"),))
    )

    assert again is told


def test_what_was_told_can_be_taken_back() -> None:
    (pool,) = a_pool(gpus=1)
    told = EMPTY.with_slices(NODE, DRIVER, (pool,)).with_node(NodeView(OTHER)).with_class(a_class())
    told = told.with_holdings(NODE, DRIVER, (a_holding("a", pool, "gpu-0"),))

    gone = told.without_slices(NODE, DRIVER).without_node(OTHER).without_class(CLASS)
    gone = gone.with_holdings(NODE, DRIVER, ())

    assert (gone.nodes, gone.classes, gone.slices(NODE, DRIVER), gone.holdings(NODE, DRIVER)) == (
        (),
        {},
        (),
        (),
    )
    assert gone.usage(PoolID(DRIVER, pool.spec.pool.name)).dedicated == {}
    assert gone.without_slices(NODE, DRIVER) is gone


def test_nodes_are_sorted_and_those_with_slices_or_told_are_among_them() -> None:
    snapshot = (
        EMPTY.with_node(NodeView(NodeName("node-c")))
        .with_slices(NODE, DRIVER, a_pool(gpus=1))
        .with_slices(OTHER, DRIVER, ())
        .with_slices(NodeName(""), DRIVER, (a_slice([a_gpu()], node="node-d"),))
    )

    assert snapshot.nodes == ("node-a", "node-b", "node-c", "node-d")
    assert snapshot.without_slices(OTHER, DRIVER).nodes == ("node-a", "node-c", "node-d")
    assert snapshot.with_slices(NodeName(""), DRIVER, ()).nodes == ("node-a", "node-b", "node-c")


def test_a_change_on_one_node_leaves_what_was_gathered_for_others_alone() -> None:
    snapshot = EMPTY.with_slices(NODE, DRIVER, a_pool(gpus=1)).with_slices(
        OTHER, DRIVER, a_pool(gpus=1, node=OTHER)
    )
    gathered = snapshot.stock(NODE, DEFAULT)

    changed = snapshot.with_slices(OTHER, DRIVER, a_pool(gpus=2, node=OTHER))

    assert changed.stock(NODE, DEFAULT) is gathered
    assert device_names(changed, OTHER) == ["gpu-0", "gpu-1"]


def test_labels_that_change_are_gathered_anew() -> None:
    everywhere = a_slice([a_gpu()], node=None, pool="net", all_nodes=True)
    snapshot = EMPTY.with_node(NodeView(NODE)).with_slices(NodeName(""), DRIVER, (everywhere,))
    gathered = snapshot.stock(NODE, DEFAULT)

    assert snapshot.with_node(NodeView(NODE, {"zone": "east"})).stock(NODE, DEFAULT) is not gathered


def test_the_rest_of_a_pool_on_another_node_is_noticed_when_it_comes() -> None:
    here = a_slice([a_gpu(0)], pool="rack", of=2)
    there = a_slice([a_gpu(1)], node=OTHER, pool="rack", of=2)
    half = EMPTY.with_slices(NODE, DRIVER, (here,))

    assert device_names(half) == []
    assert device_names(half.with_slices(OTHER, DRIVER, (there,))) == ["gpu-0"]


def test_the_order_of_telling_does_not_matter() -> None:
    told: list[tuple[NodeName, tuple[ResourceSlice, ...]]] = [
        (NODE, (a_slice([a_gpu(0)], pool="rack", name="", of=3),)),
        (OTHER, (a_slice([a_gpu(1)], node=None, pool="rack", name="", of=3, all_nodes=True),)),
        (NodeName("node-c"), (a_slice([a_gpu(2)], node=None, pool="rack", name="", of=3, all_nodes=True),)),
    ]
    seen = set()
    for order in permutations(told):
        snapshot = EMPTY
        for node, slices in order:
            snapshot = snapshot.with_slices(node, DRIVER, slices)
        seen.add(tuple(device_names(snapshot)))

    assert seen == {("gpu-0", "gpu-1", "gpu-2")}


def test_holdings_of_one_pool_told_under_several_keys_add_up() -> None:
    pool = a_slice([a_gpu(0), a_gpu(1)], pool="rack")
    snapshot = EMPTY.with_holdings(NODE, DRIVER, (a_holding("a", pool, "gpu-0"),)).with_holdings(
        OTHER, DRIVER, (a_holding("b", pool, "gpu-1"),)
    )

    usage = snapshot.usage(PoolID(DRIVER, pool.spec.pool.name))

    assert usage.dedicated == {"gpu-0": "default/a", "gpu-1": "default/b"}
