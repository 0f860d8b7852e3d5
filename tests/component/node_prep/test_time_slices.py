"""Processes take turns on a GPU for as long as a claim asks for it, and as always when it is over."""

from __future__ import annotations

from typing import Any

import pytest

from slicewire.common.nvml.facts import ComputeMode, TimeSlice
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from tests.component.node_prep.workbench import Workbench
from tests.unit.node_prep.builders import a_claim, a_config


def sliced(interval: str) -> dict[str, Any]:
    sharing = {"strategy": "TimeSlicing", "timeSlicingConfig": {"interval": interval}}
    return {"config": (a_config(sharing=sharing),)}


@pytest.mark.parametrize("interval", ["Default", "Short", "Medium", "Long"])
async def test_the_interval_is_set_in_the_default_mode_and_set_back(node: Workbench, interval: str) -> None:
    node.nvml.set_compute_mode(node.gpu().uuid, ComputeMode.EXCLUSIVE_PROCESS)
    await node.prepared(node.whole(), **sliced(interval))
    gpu = node.gpu()
    assert (gpu.time_slice, gpu.compute_mode) == (TimeSlice(interval), ComputeMode.DEFAULT)
    await node.removed()
    gpu = node.gpu()
    assert (gpu.time_slice, gpu.compute_mode) == (TimeSlice.DEFAULT, ComputeMode.DEFAULT)


async def test_other_gpus_keep_theirs(node: Workbench) -> None:
    await node.prepared(node.whole(0), **sliced("Long"))
    assert node.gpu(1).time_slice is TimeSlice.DEFAULT


async def test_the_last_claim_that_shares_the_gpu_sets_it_back(node: Workbench) -> None:
    await node.prepared(node.whole(), share_id="one", **sliced("Long"))
    await node.prepared(node.whole(), uid="claim-2", share_id="two", **sliced("Long"))
    await node.removed()
    assert node.gpu().time_slice is TimeSlice.LONG
    await node.removed("claim-2")
    assert node.gpu().time_slice is TimeSlice.DEFAULT


async def test_claims_that_share_a_gpu_and_disagree_are_in_conflict(node: Workbench) -> None:
    await node.prepared(node.whole(), share_id="one", **sliced("Long"))
    refusal = await node.prepare(node.whole(), uid="claim-2", share_id="two", **sliced("Short"))
    assert refusal == PrepareRefusal(
        Why.CONFLICT,
        f"conflicting configuration: device gpu-0 is shared with claim {a_claim()},"
        " whose configuration is another one; claims that share a device must have the same",
    )
    assert node.gpu().time_slice is TimeSlice.LONG


async def test_a_reboot_takes_the_setting_and_it_is_made_again(node: Workbench) -> None:
    await node.prepared(node.whole(), **sliced("Medium"))
    preparation = await node.rebooted()
    assert node.gpu().time_slice is TimeSlice.DEFAULT
    assert await preparation.restore(a_claim().uid) is None
    assert node.gpu().time_slice is TimeSlice.MEDIUM


async def test_what_another_hand_set_is_set_right_when_the_claim_is_asked_for_again(node: Workbench) -> None:
    await node.prepared(node.whole(), **sliced("Medium"))
    node.nvml.set_time_slice(node.gpu().uuid, TimeSlice.SHORT)
    assert await node.preparation.restore(a_claim().uid) is None
    assert node.gpu().time_slice is TimeSlice.MEDIUM
