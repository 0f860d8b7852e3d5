"""Partitions that draw on common counters: what is taken leaves the most, and the largest, to be had.

A budget here has eight slots; devices are named after their size and the slot where they begin.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest

from slicewire.allocator.core.fleet import Placement, place
from slicewire.allocator.core.packing.budgets import MOST_STATES, Budget, share_left
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.common.model import CounterSet, Device, Unsatisfiable
from slicewire.common.model.packing import Packing
from tests.builders import (
    DRIVER,
    NODE,
    a_claim,
    a_counter_set,
    a_gpu,
    a_slice,
    a_snapshot,
    devices_of,
    exactly,
    held_by,
)

STARTS = {1: range(7), 2: (0, 2, 4), 4: (0, 4), 8: (0,)}
"""By size. As NVIDIA cuts a GPU, a single slot never begins at the last."""


def partitions(gpu: int) -> Iterable[Device]:
    for size, starts in STARTS.items():
        for start in starts:
            slots = {f"slot{at}": "1" for at in range(start, start + size)}
            yield a_gpu(
                name=f"gpu-{gpu}-{size}at{start}",
                memory=f"{size * 10}Gi",
                draws={f"set-{gpu}": slots},
                size=size,
                gpu=gpu,
            )


def slots(gpu: int) -> CounterSet:
    return a_counter_set(f"set-{gpu}", **{f"slot{at}": "1" for at in range(8)})


def a_node(gpus: int = 1, held: Iterable[str] = ()) -> Snapshot:
    published = a_slice(
        [device for gpu in range(gpus) for device in partitions(gpu)],
        sets=[slots(gpu) for gpu in range(gpus)],
    )
    return a_snapshot(published, used={"other": tuple(held)} if held else None)


def of_size(size: int) -> str:
    return f'device.attributes["gpu.nvidia.com"].size == {size}'


def given(snapshot: Snapshot, policy: Packing, count: int, selector: str) -> list[str]:
    answer = place([a_claim(count, selector)], snapshot.with_packing(policy), [NODE])
    assert isinstance(answer, Placement), answer
    return devices_of(answer.results)


def test_packed_a_small_partition_leaves_the_larger_half() -> None:
    node = a_node(held=["gpu-0-2at0"])

    assert given(node, Packing.FIRST_FIT, 1, of_size(1)) == ["gpu-0-1at2"]
    assert given(a_node(), Packing.FIRST_FIT, 1, of_size(1)) == ["gpu-0-1at0"]
    assert given(a_node(), Packing.PACK, 1, of_size(1)) == ["gpu-0-1at6"]
    assert given(node, Packing.PACK, 1, of_size(1)) == ["gpu-0-1at2"]


def test_packed_partitions_of_one_claim_see_each_other() -> None:
    assert given(a_node(2), Packing.PACK, 4, of_size(1)) == [
        "gpu-0-1at6",
        "gpu-0-1at4",
        "gpu-0-1at5",
        "gpu-0-1at0",
    ]


def test_packed_a_gpu_in_use_is_filled_before_another_is_cut_up() -> None:
    node = a_node(3, held=["gpu-2-4at0"])

    assert given(node, Packing.PACK, 1, of_size(1)) == ["gpu-2-1at6"]
    assert given(node, Packing.PACK, 1, of_size(4)) == ["gpu-2-4at4"]


def test_spread_partitions_go_to_the_emptiest_gpu_each() -> None:
    node = a_node(3, held=["gpu-0-2at0"])

    assert given(node, Packing.SPREAD, 3, of_size(1)) == ["gpu-1-1at6", "gpu-2-1at6", "gpu-1-1at4"]


def test_the_smallest_partition_with_the_memory_is_taken() -> None:
    memory = 'device.capacity["gpu.nvidia.com"].memory.compareTo(quantity("15Gi")) >= 0'

    (device,) = given(a_node(), Packing.PACK, 1, memory)

    assert device == "gpu-0-2at0"


def test_whole_gpus_stay_free_for_as_long_as_there_is_room_on_cut_ones() -> None:
    node, held = a_node(2), list[str]()
    for size in (1, 1, 2, 2):
        (device,) = given(a_node(2, held) if held else node, Packing.PACK, 1, of_size(size))
        held.append(device)

    assert {name[:5] for name in held} == {"gpu-0"}


@pytest.mark.parametrize("policy", Packing)
def test_what_the_counters_refuse_no_policy_gives(policy: Packing) -> None:
    node = a_node(held=["gpu-0-4at0", "gpu-0-1at5"]).with_packing(policy)

    assert isinstance(place([a_claim(1, of_size(4))], node, [NODE]), Unsatisfiable)


def test_a_whole_device_is_taken_rather_than_one_that_others_could_share_in_parts() -> None:
    plain = a_gpu(name="plain", memory="80Gi", size=8)
    published = a_slice([*partitions(0), plain], sets=[slots(0)])

    assert given(a_snapshot(published), Packing.PACK, 1, of_size(8)) == ["plain"]


def test_a_partition_across_two_gpus_counts_against_both() -> None:
    across = a_gpu(
        name="across", memory="80Gi", draws={"set-0": {"slot7": "1"}, "set-1": {"slot0": "1"}}, size=9
    )
    devices = [*partitions(0), *partitions(1), across]
    node = a_snapshot(a_slice(devices, sets=[slots(0), slots(1)]))

    assert given(node, Packing.PACK, 1, of_size(8)) in (["gpu-0-8at0"], ["gpu-1-8at0"])
    assert given(node, Packing.PACK, 1, of_size(1)) == ["gpu-0-1at6"]


def test_what_a_device_takes_away_is_the_worth_of_all_that_no_longer_fit() -> None:
    budget = Budget((2,), [((0, 1),), ((0, 2),)])

    assert budget.worth == (500, 1000)
    assert budget.losses((2,)) == (1500, 1500)
    assert budget.losses((1,)) == (500, None)
    assert budget.losses((-1,)) == (None, None)
    assert budget.open((1,)) == 500
    assert budget.after(0, (2,)) == (1,)


def test_how_much_of_a_budget_is_left_is_the_average_over_its_counters() -> None:
    assert share_left((1, 4), (2, 4)) == 750
    assert share_left((-1, 4), (2, 4)) == 500
    assert share_left((), ()) == 0
    assert share_left((0,), (0,)) == 0


def test_a_partition_is_cut_for_a_share_where_it_costs_least_and_then_filled() -> None:
    devices = [msgspec.structs.replace(each, allow_multiple_allocations=True) for each in partitions(0)]
    node = a_snapshot(a_slice(devices, sets=[slots(0)])).with_packing(Packing.PACK)
    claim = a_claim(gpus=exactly(1, of_size(1), capacity={"memory": "4Gi"}))
    went = []
    for number in range(3):
        answer = place([claim], node, [NODE])
        assert isinstance(answer, Placement)
        went += devices_of(answer.results)
        held = (*node.holdings(NODE, DRIVER), held_by(a_claim(name=f"c{number}"), answer.results[0]))
        node = node.with_holdings(NODE, DRIVER, held)

    assert went == ["gpu-0-1at6", "gpu-0-1at6", "gpu-0-1at4"]


def test_a_budget_of_very_many_devices_goes_by_what_can_never_be_had_together() -> None:
    many = Budget((100,), [*(((0, 1),) for _ in range(80)), ((0, 100),)])

    assert many.losses((100,))[0] == many.worth[0] + many.worth[-1]
    assert many.losses((100,))[-1] == sum(many.worth)


def test_what_is_remembered_of_a_budget_is_bounded() -> None:
    budget = Budget((10_000,), [((0, 1),)])
    for left in range(MOST_STATES + 2):
        assert budget.losses((left,)) == ((1,) if left else (None,))
