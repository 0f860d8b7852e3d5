"""Looking over a node: what it has for a request, and which request is the first it cannot serve."""

from __future__ import annotations

from slicewire.allocator.core.attempt import Question
from slicewire.allocator.core.features import DEFAULT
from slicewire.allocator.core.requests import Demand, read
from slicewire.allocator.core.snapshot import Snapshot
from slicewire.allocator.core.solver import Allowance
from slicewire.allocator.core.survey import Survey, blocking
from slicewire.common.model import ResourceClaim
from tests.builders import (
    NODE,
    a_claim,
    a_counter_set,
    a_gpu,
    a_pool,
    a_slice,
    a_snapshot,
    everything,
    exactly,
)

LINK = "gpu.nvidia.com/link"


def surveyed(snapshot: Snapshot, *claims: ResourceClaim) -> tuple[Survey, ...]:
    demand = read(claims, snapshot.classes, DEFAULT)
    assert isinstance(demand, Demand)
    return blocking(Question.of(demand, snapshot, NODE, DEFAULT), Allowance(1_000))


def test_the_first_request_that_cannot_be_served_is_the_one_looked_at() -> None:
    (found,) = surveyed(a_snapshot(*a_pool(gpus=2)), a_claim(a=exactly(1), b=exactly(3), c=exactly(4)))

    assert (found.alternative.name, found.request, found.needed, found.missing) == ("b", 1, 3, 1)


def test_matching_free_and_together_are_counted_apart() -> None:
    devices = [a_gpu(at, link="aab"[at % 3], model="H100" if at else "A100") for at in range(6)]
    snapshot = a_snapshot(a_slice(devices), used={"other": ["gpu-5"]})
    wanted = exactly(5, 'device.attributes["gpu.nvidia.com"].model == "H100"')

    (found,) = surveyed(snapshot, a_claim(match=LINK, gpus=wanted))

    assert (found.devices, found.matching, len(found.free), found.together) == (6, 5, 4, 3)


def test_requests_that_fit_alone_are_looked_at_beside_those_before_them() -> None:
    (found,) = surveyed(a_snapshot(*a_pool(gpus=3)), a_claim(a=exactly(2), b=exactly(2)))

    assert (found.alternative.name, found.matching, len(found.free)) == ("b", 3, 1)


def test_a_selector_that_fails_counts_as_no_match_and_is_told() -> None:
    failing = exactly(2, 'device.attributes["gpu.nvidia.com"].missing == 1')

    (found,) = surveyed(a_snapshot(*a_pool(gpus=1)), a_claim(gpus=failing))

    assert found.matching == 0
    assert "CEL runtime error" in found.refused[0].message


def test_all_devices_are_as_many_as_match() -> None:
    snapshot = a_snapshot(*a_pool(gpus=3), used={"other": ["gpu-1"]})

    (found,) = surveyed(snapshot, a_claim(all=everything()))

    assert (found.needed, found.missing) == (3, 1)


def test_nothing_blocks_where_everything_fits() -> None:
    assert surveyed(a_snapshot(*a_pool(gpus=3)), a_claim(3)) == ()


def test_which_requests_are_in_each_others_way_is_not_guessed_when_steps_run_out() -> None:
    snapshot = a_snapshot(*a_pool(gpus=3))
    demand = read([a_claim(a=exactly(2), b=exactly(2))], snapshot.classes, DEFAULT)
    assert isinstance(demand, Demand)

    assert blocking(Question.of(demand, snapshot, NODE, DEFAULT), Allowance(2)) == ()


def test_counters_that_do_not_reach_for_all_are_told_apart_from_devices_in_use() -> None:
    devices = a_slice([a_gpu(at, draws={"gpu-0": {"memory": "2"}}) for at in range(3)], name="a", of=2)
    snapshot = a_snapshot(devices, a_slice(sets=[a_counter_set("gpu-0", memory="4")], name="b", of=2))

    (found,) = surveyed(snapshot, a_claim(3))

    assert (len(found.free), found.together) == (3, 2)
    assert [each.message for each in found.apart] == ["counter gpu-0/memory is short by 2"]
