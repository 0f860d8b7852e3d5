"""Which devices of a node a claim gets, by the policy: whole ones, groups of them, and shares."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from slicewire.allocator.core.fleet import Placement, place
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.common.model import Device, ResourceClaim
from slicewire.common.model.packing import Packing
from tests.builders import (
    DRIVER,
    NODE,
    a_claim,
    a_gpu,
    a_holding,
    a_shared_gpu,
    a_slice,
    a_snapshot,
    devices_of,
    exactly,
)

ROOT = "resource.kubernetes.io/pcieRoot"


def given(snapshot: Snapshot, policy: Packing, *claims: ResourceClaim) -> list[str]:
    answer = place(claims, snapshot.with_packing(policy), [NODE])
    assert isinstance(answer, Placement), answer
    return devices_of(answer.results)


def a_node(devices: Sequence[Device], held: Sequence[str] = ()) -> Snapshot:
    return a_snapshot(a_slice(devices), used={"other": held} if held else None)


def at_root(index: int, root: str, **values: int) -> Device:
    return a_gpu(index, **values, **{ROOT: root})  # type: ignore[arg-type]  # an attribute, by its full name


def rooted(*roots: str) -> list[Device]:
    """A GPU for each letter, under the PCIe root of this name."""
    return [at_root(index, root) for index, root in enumerate("".join(roots))]


def a_share(memory: str) -> ResourceClaim:
    return a_claim(gpus=exactly(capacity={"memory": memory}))


def shared(snapshot: Snapshot, **memory: str) -> Snapshot:
    """So much of each of these devices is used by somebody already."""
    (slice_,) = snapshot.slices(NODE, DRIVER)
    holdings = tuple(
        a_holding(f"of-{name}", slice_, name.replace("_", "-"), share_id="s", consumed_capacity=amounts)
        for name, text in memory.items()
        for amounts in [exactly(capacity={"memory": text}).capacity.requests]  # type: ignore[union-attr]
    )
    return snapshot.with_holdings(NODE, DRIVER, holdings)


def test_packed_a_small_wish_does_not_take_a_large_card() -> None:
    node = a_node([a_gpu(0, memory="80Gi"), a_gpu(1, memory="24Gi"), a_gpu(2, memory="16Gi")])

    assert given(node, Packing.FIRST_FIT, a_share("4Gi")) == ["gpu-0"]
    assert given(node, Packing.PACK, a_share("4Gi")) == ["gpu-2"]
    assert given(node, Packing.PACK, a_share("20Gi")) == ["gpu-1"]


@pytest.mark.parametrize(
    ("count", "devices"),
    [(1, ["gpu-3"]), (2, ["gpu-4", "gpu-5"]), (3, ["gpu-0", "gpu-1", "gpu-2"])],
)
def test_packed_devices_fill_a_group_exactly_where_one_is_of_that_size(
    count: int, devices: list[str]
) -> None:
    node = a_node(rooted("aaa", "b", "cc"))

    assert given(node, Packing.PACK, a_claim(count)) == devices


def test_packed_a_device_comes_from_a_group_that_is_broken_up_already() -> None:
    node = a_node(rooted("aa", "bbbb"), held=["gpu-2"])

    assert given(node, Packing.FIRST_FIT, a_claim(1)) == ["gpu-0"]
    assert given(node, Packing.PACK, a_claim(1)) == ["gpu-3"]


def test_packed_devices_that_no_group_has_take_the_largest_and_the_leftovers_of_another() -> None:
    node = a_node(rooted("aa", "bbb", "cc"), held=["gpu-0"])

    assert given(node, Packing.PACK, a_claim(4)) == ["gpu-2", "gpu-3", "gpu-4", "gpu-1"]


def test_groups_within_groups_are_filled_from_the_inside() -> None:
    places = [("0", "a"), ("0", "a"), ("0", "b"), ("0", "b"), ("1", "c"), ("1", "c"), ("1", "d"), ("1", "d")]
    node = a_node(
        [at_root(at, root, numaNode=int(numa)) for at, (numa, root) in enumerate(places)],
        held=["gpu-4"],
    )

    assert given(node, Packing.PACK, a_claim(1)) == ["gpu-5"]
    assert given(node, Packing.PACK, a_claim(2)) == ["gpu-6", "gpu-7"]
    assert given(node, Packing.PACK, a_claim(4)) == ["gpu-0", "gpu-1", "gpu-2", "gpu-3"]


def test_spread_devices_come_from_the_emptiest_groups_in_turn() -> None:
    node = a_node(rooted("aaa", "bbb"), held=["gpu-0"])

    assert given(node, Packing.SPREAD, a_claim(3)) == ["gpu-3", "gpu-1", "gpu-4"]


def test_packed_shares_go_to_the_fullest_device_that_has_room() -> None:
    node = shared(a_node([a_shared_gpu(index) for index in range(4)]), gpu_1="30Gi", gpu_2="60Gi")

    assert given(node, Packing.PACK, a_share("10Gi")) == ["gpu-2"]
    assert given(node, Packing.PACK, a_share("40Gi")) == ["gpu-1"]
    assert given(node, Packing.PACK, a_share("60Gi")) == ["gpu-0"]


def test_spread_shares_go_to_the_emptiest_device() -> None:
    node = shared(a_node([a_shared_gpu(index) for index in range(3)]), gpu_0="10Gi", gpu_1="20Gi")

    assert given(node, Packing.SPREAD, a_share("10Gi")) == ["gpu-2"]


def test_packed_a_share_is_taken_rather_than_a_whole_device() -> None:
    node = a_node([a_gpu(0), a_shared_gpu(1)])

    assert given(node, Packing.PACK, a_share("10Gi")) == ["gpu-1"]


def test_packing_never_overrules_a_constraint() -> None:
    node = a_node(rooted("a", "bb", "ccc"))

    assert given(node, Packing.PACK, a_claim(3, match=ROOT)) == ["gpu-3", "gpu-4", "gpu-5"]
    assert given(node, Packing.SPREAD, a_claim(3, match=ROOT)) == ["gpu-3", "gpu-4", "gpu-5"]


def test_the_first_alternative_is_taken_even_if_another_would_pack_better() -> None:
    node = a_node([a_gpu(0, memory="80Gi", kind="big"), a_gpu(1, memory="16Gi", kind="small")])
    big = 'device.attributes["gpu.nvidia.com"].kind == "big"'

    assert given(node, Packing.PACK, a_claim(1, big)) == ["gpu-0"]


def test_a_device_that_no_selector_can_judge_stops_only_the_claim_that_needs_it() -> None:
    selector = 'device.attributes["gpu.nvidia.com"].kind == "a"'
    node = a_node([a_gpu(0, kind="a", memory="80Gi"), a_gpu(1, memory="16Gi")])

    assert given(node, Packing.PACK, a_claim(1, selector)) == ["gpu-0"]
    answer = place([a_claim(2, selector)], node.with_packing(Packing.PACK), [NODE])
    assert not isinstance(answer, Placement)
    assert "CEL runtime error" in answer.message
