"""What was found out about one node is not asked again of those that are alike, and changes no answer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from slicewire.allocator.core.fleet import Placement, place
from slicewire.allocator.core.packing.turns import in_turn
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.common.model import NodeName, ResourceClaim, ResourceSlice, Unsatisfiable
from slicewire.common.model.packing import Packing
from tests.builders import DRIVER, a_claim, a_gpu, a_holding, a_slice, a_snapshot, devices_of

ROOT = "resource.kubernetes.io/pcieRoot"
FIRST, SECOND = NodeName("node-1"), NodeName("node-2")
GPUS = 6


def a_node(node: NodeName, roots: str) -> ResourceSlice:
    gpus = (a_gpu(at, uuid=f"{node}-{at}", **{ROOT: root}) for at, root in enumerate(roots))  # type: ignore[arg-type]  # an attribute
    return a_slice(gpus, node=node)


def with_held(snapshot: Snapshot, node: ResourceSlice, held: set[int]) -> Snapshot:
    holding = a_holding("others", node, *(f"gpu-{at}" for at in sorted(held)))
    assert node.spec.node_name
    return snapshot.with_holdings(node.spec.node_name, DRIVER, (holding,)) if held else snapshot


def given_on(node: NodeName, snapshot: Snapshot, claim: ResourceClaim) -> list[str]:
    match place([claim], snapshot, [node]):
        case Placement(results=results):
            return devices_of(results)
        case Unsatisfiable():
            return []


_HELD = st.sets(st.integers(0, GPUS - 1))


@given(
    roots=st.text("ab", min_size=GPUS, max_size=GPUS),
    held=st.tuples(_HELD, _HELD),
    counts=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    policy=st.sampled_from([Packing.PACK, Packing.SPREAD]),
    selector=st.sampled_from(["true", 'device.attributes["gpu.nvidia.com"].index < 4']),
)
def test_a_node_gives_the_same_devices_whichever_like_it_was_asked_before(
    roots: str, held: tuple[set[int], set[int]], counts: tuple[int, int], policy: Packing, selector: str
) -> None:
    first, second = a_node(FIRST, roots), a_node(SECOND, roots)
    alone = with_held(a_snapshot(second), second, held[1]).with_packing(policy)
    both = with_held(with_held(a_snapshot(first, second), first, held[0]), second, held[1])
    both = both.with_packing(policy)

    given_on(FIRST, both, a_claim(counts[0], selector))
    given_on(FIRST, both, a_claim(counts[1], selector))

    claim = a_claim(counts[1], selector)
    assert given_on(SECOND, both, claim) == given_on(SECOND, alone, claim)


def test_what_is_free_but_not_wanted_is_told_from_what_is_held() -> None:
    """Two of each three are wanted; the three whose last is held are broken up already."""
    first, second = a_node(FIRST, "aaabbb"), a_node(SECOND, "aaabbb")
    snapshot = with_held(with_held(a_snapshot(first, second), first, {2}), second, {5})
    snapshot = snapshot.with_packing(Packing.PACK)
    one_of_four = a_claim(1, 'device.attributes["gpu.nvidia.com"].index in [0, 1, 3, 4]')

    assert given_on(FIRST, snapshot, one_of_four) == ["gpu-0"]
    assert given_on(SECOND, snapshot, one_of_four) == ["gpu-3"]


def test_nodes_that_are_alike_but_for_what_is_held_get_an_order_each() -> None:
    first, second = a_node(FIRST, "aabb"), a_node(SECOND, "aabb")
    snapshot = with_held(with_held(a_snapshot(first, second), first, {0}), second, {2})
    snapshot = snapshot.with_packing(Packing.PACK)

    assert given_on(FIRST, snapshot, a_claim(1)) == ["gpu-1"]
    assert given_on(SECOND, snapshot, a_claim(1)) == ["gpu-3"]


def test_of_nodes_with_whole_devices_the_one_with_the_fewest_free_is_the_fullest() -> None:
    nodes = [a_node(NodeName(f"node-{at}"), "aabb") for at in range(4)]
    snapshot = a_snapshot(*nodes)
    for node, held in zip(nodes, ({0}, {0, 1, 2}, set[int](), {0, 1}), strict=True):
        snapshot = with_held(snapshot, node, held)

    names = snapshot.nodes
    turns = in_turn(snapshot.with_packing(Packing.PACK), names, 0b1111, None)

    assert list(turns) == ["node-1", "node-3", "node-0", "node-2"]
