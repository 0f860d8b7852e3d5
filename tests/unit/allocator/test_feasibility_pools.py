"""Pools that are being replaced, are not whole or contradict themselves: what a node may take of them.

Two nodes see slices of two generations. Which of a pool's devices a node has is worked out here slice by
slice, as the rules are written down, and compared with what the search gives: so many devices and no
more, or a fault that names the pool.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from slicewire.allocator.core.faults import Fault
from slicewire.allocator.core.search import allocate
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.common.model import AllocationResult, NodeName, ResourceClaim, Unsatisfiable
from tests.builders import a_claim, a_gpu, a_slice, a_snapshot, devices_of, everything

NODES = [NodeName("node-a"), NodeName("node-b")]


class Slice(NamedTuple):
    """`node` "" is both nodes. `devices` are numbers, so that two slices may publish the same device."""

    node: str
    generation: int
    devices: tuple[int, ...]


class Pool(NamedTuple):
    slices: tuple[Slice, ...]
    whole: Mapping[int, int]
    """Of how many slices each generation says that it is."""


SLICE = st.builds(
    Slice,
    st.sampled_from(["node-a", "node-a", "node-b", ""]),
    st.sampled_from([1, 2, 2]),
    st.lists(st.integers(0, 5), max_size=2, unique=True).map(tuple),
)
POOL = st.builds(
    Pool,
    st.lists(SLICE, min_size=1, max_size=4).map(tuple),
    st.fixed_dictionaries({1: st.integers(1, 2), 2: st.integers(1, 3)}),
)


def snapshot_of(pools: Sequence[Pool]) -> Snapshot:
    return a_snapshot(
        *(
            a_slice(
                [a_gpu(device) for device in each.devices],
                node=each.node or None,
                pool=f"pool-{number}",
                name=f"slice-{at}",
                generation=each.generation,
                of=pool.whole[each.generation],
                **({} if each.node else {"all_nodes": True}),  # type: ignore[arg-type]  # fields of the slice
            )
            for number, pool in enumerate(pools)
            for at, each in enumerate(pool.slices)
        )
    )


class Seen(NamedTuple):
    """A pool as one node sees it: the devices that may be given, or what is wrong with it."""

    devices: tuple[int, ...] = ()
    trouble: str = ""


def seen(pool: Pool, node: str) -> Seen:
    here = [each for each in pool.slices if each.node in ("", node)]
    newest = max((each.generation for each in here), default=0)
    here = [each for each in here if each.generation == newest]
    if not here:
        return Seen()
    if len(here) != pool.whole[newest]:
        if any(each.generation > newest for each in pool.slices):
            return Seen()
        everywhere = sum(each.generation == newest for each in pool.slices)
        if everywhere != pool.whole[newest]:
            return Seen(trouble="incomplete")
    devices = tuple(device for each in here for device in each.devices)
    return Seen(trouble="invalid") if len(set(devices)) < len(devices) else Seen(devices)


def answer_of(
    claim: ResourceClaim, snapshot: Snapshot, node: NodeName
) -> tuple[AllocationResult, ...] | Unsatisfiable | Fault:
    answer = allocate([claim], snapshot, node)
    assert not isinstance(answer, Fault) or answer.node_only
    return answer


@settings(max_examples=200)
@given(st.lists(POOL, min_size=1, max_size=2), st.integers(1, 4))
def test_a_node_gives_the_devices_of_whole_pools_of_the_newest_generation_and_no_others(
    pools: list[Pool], count: int
) -> None:
    snapshot = snapshot_of(pools)
    for node in NODES:
        views = [seen(pool, node) for pool in pools]
        devices = [f"gpu-{device}" for view in views for device in view.devices]

        answer = answer_of(a_claim(count), snapshot, node)

        if len(devices) >= count:
            assert isinstance(answer, tuple)
            assert devices_of(answer) == devices[:count]
        elif any(view.trouble == "invalid" for view in views):
            assert isinstance(answer, Fault)
            assert "invalid resource pools were encountered" in answer.message
        else:
            assert isinstance(answer, Unsatisfiable)


@settings(max_examples=100)
@given(st.lists(POOL, min_size=1, max_size=2))
def test_all_devices_are_promised_only_where_every_pool_is_whole(pools: list[Pool]) -> None:
    snapshot = snapshot_of(pools)
    for node in NODES:
        views = [seen(pool, node) for pool in pools]
        devices = [f"gpu-{device}" for view in views for device in view.devices]

        answer = answer_of(a_claim(gpus=everything()), snapshot, node)

        troubles = [number for number, view in enumerate(views) if view.trouble]
        if troubles:
            assert isinstance(answer, Fault)
            assert f"resource pool gpu.nvidia.com/pool-{troubles[0]} is currently" in answer.message
        elif devices:
            assert isinstance(answer, tuple)
            assert devices_of(answer) == devices
        else:
            assert isinstance(answer, Unsatisfiable)


@settings(max_examples=100)
@given(st.lists(POOL, min_size=1, max_size=2), POOL, st.integers(1, 4))
def test_a_pool_more_never_takes_away_what_a_node_could_give(
    pools: list[Pool], more: Pool, count: int
) -> None:
    before, after = snapshot_of(pools), snapshot_of([*pools, more])
    for node in NODES:
        if isinstance(answer_of(a_claim(count), before, node), tuple):
            assert isinstance(answer_of(a_claim(count), after, node), tuple)
