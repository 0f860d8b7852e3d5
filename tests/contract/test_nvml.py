"""Both rooms of the NVML door keep the same promises. Read-only, so that a real GPU may be asked too."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from slicewire.common.nvml.facts import NodeFacts, NvmlAbsent
from slicewire.common.nvml.port import Closed, Nvml
from slicewire.common.nvml.rooms import NvmlSettings, open_nvml
from slicewire.discovery.core.pci import bus_id
from tests.nvmlstub import built

ROOMS = (
    "simulated",
    "real room on a stub library",
    pytest.param("real room on this machine's driver", marks=pytest.mark.gpu),
)


def _choice(room: str, folder: Path) -> NvmlSettings:
    if room == "simulated":
        return NvmlSettings(room="simulated", state=str(folder / "state.json"), node="node-a", gpus=2)
    if room == "real room on a stub library":
        return NvmlSettings(room="real", library=str(built(folder)))
    return NvmlSettings(room="real")


@pytest.fixture(params=ROOMS)
def nvml(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Nvml]:
    opened = open_nvml(_choice(request.param, tmp_path))
    try:
        if isinstance(absent := opened.look(), NvmlAbsent):
            assert "this machine" in request.param, absent.reason
            pytest.skip(f"no NVML here: {absent.reason}")
        yield opened
    finally:
        opened.close()


def _facts(nvml: Nvml) -> NodeFacts:
    facts = nvml.look()
    assert isinstance(facts, NodeFacts)
    return facts


def test_a_node_tells_its_driver_and_cuda_version(nvml: Nvml) -> None:
    facts = _facts(nvml)
    assert all(part.isdigit() for part in facts.driver_version.split("."))
    assert all(part.isdigit() for part in facts.cuda_driver_version.split("."))


def test_every_gpu_is_somebody_somewhere(nvml: Nvml) -> None:
    gpus = _facts(nvml).gpus
    assert gpus
    assert len({gpu.uuid for gpu in gpus}) == len(gpus)
    assert len({gpu.minor for gpu in gpus}) == len(gpus)
    assert len({bus_id(gpu.pci_bus_id) for gpu in gpus} - {None}) == len(gpus)
    assert all(gpu.uuid.startswith("GPU-") and gpu.product_name for gpu in gpus)


def test_two_looks_see_the_same(nvml: Nvml) -> None:
    assert _facts(nvml) == _facts(nvml)


def test_waiting_where_nothing_happens_ends_in_time_with_nothing(nvml: Nvml) -> None:
    before = time.monotonic()
    assert nvml.wait(0.05) == ()
    assert time.monotonic() - before >= 0.04


def test_closing_ends_a_wait_soon(nvml: Nvml) -> None:
    waiting = threading.Thread(target=nvml.wait, args=(30.0,))
    waiting.start()
    nvml.close()
    waiting.join(timeout=5)
    assert not waiting.is_alive()


def test_a_closed_room_never_says_that_there_are_no_gpus(nvml: Nvml) -> None:
    nvml.close()
    nvml.close()
    assert nvml.wait(0.01) == ()
    with pytest.raises(Closed):
        nvml.look()


def test_a_library_that_is_not_there_is_said_and_is_no_error() -> None:
    nvml = open_nvml(NvmlSettings(room="real", library="/nowhere/libnvidia-ml.so.1"))
    absent = nvml.look()
    nvml.close()
    assert isinstance(absent, NvmlAbsent)
    assert "/nowhere/libnvidia-ml.so.1" in absent.reason
