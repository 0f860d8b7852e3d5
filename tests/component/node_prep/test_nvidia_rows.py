"""Rows of the comparison with NVIDIA's driver that no other test is about (docs/nvidia-parity.md)."""

from __future__ import annotations

from typing import Any

import pytest

from slicewire.common.nvml.facts import ComputeMode, TimeSlice
from slicewire.common.nvml.port import NvmlControl
from slicewire.common.nvml.refusal import NvmlCode, NvmlRefused
from slicewire.node_prep.core.cdi import file_name
from slicewire.node_prep.core.lifecycle import State
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from slicewire.node_prep.driverroot import DriverRoot
from slicewire.node_prep.executors import executors
from tests.component.node_prep.workbench import Workbench
from tests.unit.node_prep.builders import a_claim, a_config

pytestmark = pytest.mark.slow


class WithoutTimeSlices:
    """GPUs of before Volta."""

    def __init__(self, nvml: NvmlControl) -> None:
        self._nvml = nvml

    def __getattr__(self, name: str) -> Any:
        return getattr(self._nvml, name)

    def set_time_slice(self, gpu: str, interval: TimeSlice) -> None:
        raise NvmlRefused(NvmlCode.NOT_SUPPORTED, f"set the time-slice of {gpu} to {interval}: not supported")


async def test_a_gpu_without_time_slices_is_refused_and_left_as_it_was(node: Workbench) -> None:
    nvml: Any = WithoutTimeSlices(node.nvml)
    node.preparation = node.another(executors(nvml, DriverRoot(nvml), node.cdi_root))
    long = {"strategy": "TimeSlicing", "timeSlicingConfig": {"interval": "Long"}}
    refusal = await node.prepare(node.whole(), config=(a_config(sharing=long),))
    assert isinstance(refusal, PrepareRefusal)
    assert refusal.why is Why.UNSUPPORTED
    assert "not supported" in refusal.reason
    assert node.gpu().compute_mode is ComputeMode.DEFAULT
    assert node.nothing_is_left()


async def test_a_cdi_file_that_cannot_be_deleted_keeps_the_claim(node: Workbench) -> None:
    await node.prepared(node.whole())
    file = node.cdi_root / file_name(a_claim().uid)
    file.unlink()
    (file / "in the way").mkdir(parents=True)
    refusal = await node.preparation.remove(a_claim().uid)
    assert refusal is not None
    assert (refusal.why, node.state_of()) == (Why.DISK, State.UNDOING)
    assert f"deleting {file}" in refusal.reason
    (file / "in the way").rmdir()
    file.rmdir()
    await node.removed()
    assert node.nothing_is_left()
