"""A node that has said no is not asked again, until something that could change its mind has changed."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from slicewire.allocator.core.features import DEFAULT
from slicewire.allocator.core.fleet import Placement, place
from slicewire.allocator.core.nodes import NodeView
from slicewire.allocator.core.packing.roster import nodes_in
from slicewire.allocator.core.refused import MOST_SHAPES, Refused, Shape, shape_of
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.common.model import NodeName
from tests.builders import DRIVER, a_claim, a_class, a_holding, a_pool, a_snapshot, exactly

NODES = tuple(NodeName(f"n{number}") for number in range(4))


def fleet(gpus: int = 2) -> Snapshot:
    return a_snapshot(*(slice_ for node in NODES for slice_ in a_pool(gpus, node=node)))


def full(snapshot: Snapshot, *nodes: NodeName) -> Snapshot:
    for node in nodes:
        (slice_,) = snapshot.slices(node, DRIVER)
        snapshot = snapshot.with_holdings(node, DRIVER, (a_holding(node, slice_, "gpu-0", "gpu-1"),))
    return snapshot


def asked(refused: Refused, shape: Shape, nodes: Sequence[NodeName]) -> list[NodeName]:
    return list(nodes_in(refused.left(shape, nodes), nodes))


def remaining(snapshot: Snapshot, count: int = 1) -> list[NodeName]:
    claim = a_claim(gpus=exactly(count=count))
    return asked(snapshot.refused, shape_of([claim], DEFAULT), NODES)


def node_of(snapshot: Snapshot, count: int = 1) -> str:
    answer = place([a_claim(gpus=exactly(count=count))], snapshot, NODES)
    return answer.node if isinstance(answer, Placement) else ""


def test_a_full_node_is_asked_once() -> None:
    snapshot = full(fleet(), NODES[0], NODES[1])
    assert node_of(snapshot) == "n2"
    assert remaining(snapshot) == ["n2", "n3"]
    assert node_of(snapshot) == "n2"


def test_another_question_is_asked_of_every_node() -> None:
    snapshot = full(fleet(), NODES[0])
    node_of(snapshot)
    assert remaining(snapshot, count=2) == list(NODES)


def test_a_node_is_asked_again_when_something_was_given_back() -> None:
    snapshot = full(fleet(), *NODES)
    assert node_of(snapshot) == ""
    assert remaining(snapshot) == []
    freed = snapshot.with_holdings(NODES[2], DRIVER, ())
    assert remaining(freed) == ["n2"]
    assert node_of(freed) == "n2"
    assert node_of(snapshot) == ""


def test_a_node_is_asked_again_when_its_devices_or_labels_change() -> None:
    snapshot = fleet(gpus=1)
    assert node_of(snapshot, count=2) == ""
    (grown,) = a_pool(2, node=NODES[1])
    assert node_of(snapshot.with_slices(NODES[1], DRIVER, (grown,)), count=2) == "n1"
    labelled = snapshot.with_node(NodeView(NODES[3], {"zone": "z"}))
    assert remaining(labelled, count=2) == ["n3"]


def test_a_changed_class_asks_everybody_again() -> None:
    snapshot = full(fleet(), *NODES)
    node_of(snapshot)
    changed = snapshot.with_class(a_class("gpu.nvidia.com", "device.driver != ''"))
    assert remaining(changed) == list(NODES)


def test_other_nodes_are_another_order_and_everything_is_asked_again() -> None:
    refused = Refused()
    shape = shape_of([a_claim()], DEFAULT)
    assert asked(refused, shape, NODES) == list(NODES)
    refused.note(shape, NODES[:2])
    assert asked(refused, shape, NODES[1:]) == list(NODES[1:])


def test_only_so_many_questions_are_remembered() -> None:
    refused = Refused()
    shapes = [shape_of([a_claim(gpus=exactly(count=n))], DEFAULT) for n in range(1, MOST_SHAPES + 2)]
    for shape in shapes:
        asked(refused, shape, NODES)
        refused.note(shape, NODES[:1])
    assert len(asked(refused, shapes[0], NODES)) == len(NODES)
    assert len(asked(refused, shapes[-1], NODES)) == len(NODES) - 1


@given(st.lists(st.tuples(st.sampled_from(NODES), st.booleans(), st.integers(1, 2)), max_size=20))
def test_the_answer_is_the_one_without_a_memory(steps: list[tuple[NodeName, bool, int]]) -> None:
    snapshot = fleet()
    for node, held, count in steps:
        snapshot = full(snapshot, node) if held else snapshot.with_holdings(node, DRIVER, ())
        fresh = msgspec.structs.replace(snapshot, refused=Refused())
        assert node_of(snapshot, count) == node_of(fresh, count)
