"""Both rooms of the NVML door keep the same promises. Read-only, so that a real GPU may be asked too."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from slicewire.common.nvml.condition import Condition
from slicewire.common.nvml.facts import NodeFacts, NvmlAbsent
from slicewire.common.nvml.port import Closed, Nvml, NvmlControl
from slicewire.common.nvml.rooms import NvmlSettings, open_nvml
from slicewire.discovery.core.pci import bus_id
from tests.nvmlstub import built

LIBRARY = "SLICEWIRE_TEST_NVML_LIBRARY"
"""Names a libnvidia-ml.so.1 to hold to the same promises: a mock of somebody else's, or another driver's."""
ROOMS = (
    "simulated",
    "real room on a stub library",
    "real room on a library of your choice",
    pytest.param("real room on this machine's driver", marks=pytest.mark.gpu),
)


def _choice(room: str, folder: Path) -> NvmlSettings:
    if room == "simulated":
        return NvmlSettings(room="simulated", state=str(folder / "state.json"), node="node-a", gpus=2)
    if room == "real room on a stub library":
        return NvmlSettings(room="real", library=str(built(folder)))
    if room == "real room on a library of your choice":
        if LIBRARY not in os.environ:
            pytest.skip(f"{LIBRARY} names no library")
        return NvmlSettings(room="real", library=os.environ[LIBRARY])
    return NvmlSettings(room="real")


@pytest.fixture(params=ROOMS)
def nvml(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NvmlControl]:
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
    assert _lasting(_facts(nvml)) == _lasting(_facts(nvml))


def _lasting(facts: NodeFacts) -> NodeFacts:
    """Without what changes by itself: heat, and what the clocks make of it."""
    gpus = tuple(msgspec.structs.replace(gpu, condition=_cool(gpu.condition)) for gpu in facts.gpus)
    return msgspec.structs.replace(facts, gpus=gpus)


def _cool(condition: Condition) -> Condition:
    return msgspec.structs.replace(condition, temperature_celsius=None, slowed_by=())


def test_a_gpu_that_can_be_cut_says_how(nvml: Nvml) -> None:
    for mig in (gpu.mig for gpu in _facts(nvml).gpus if gpu.mig):
        assert mig.profiles
        assert len({profile.id for profile in mig.profiles}) == len(mig.profiles)
        for profile in mig.profiles:
            assert re.fullmatch(r"[1-8]g\.[0-9]+gb([+-][a-z.]+)?", profile.name)
            assert profile.memory_mib > 0 < profile.multiprocessors
            assert len({place.size for place in profile.placements}) <= 1
        known = {profile.id for profile in mig.profiles}
        assert {instance.profile_id for instance in mig.instances} <= known


def test_what_a_gpu_is_wired_to_is_told_link_by_link(nvml: Nvml) -> None:
    for gpu in _facts(nvml).gpus:
        numbers = [link.link for link in gpu.links]
        assert numbers == sorted(set(numbers))
        assert all(re.fullmatch(r"([0-9]\.[0-9])?", link.version) for link in gpu.links)
        assert gpu.fabric is None or len(gpu.fabric.cluster_uuid) in {0, 36}


def test_how_a_gpu_is_can_be_asked(nvml: Nvml) -> None:
    for gpu in _facts(nvml).gpus:
        assert gpu.condition.temperature_celsius is None or -20 < gpu.condition.temperature_celsius < 130
        assert gpu.power_limit_milliwatts is None or gpu.power_limit_milliwatts > 1000
        assert re.fullmatch("0x[0-9a-f]{4}", gpu.pci_device_id or "0x0000")
        assert all(part.reason for part in gpu.unread)


def test_the_processes_of_a_gpu_can_be_listed(nvml: NvmlControl) -> None:
    for gpu in _facts(nvml).gpus:
        pids = [process.pid for process in nvml.processes(gpu.uuid)]
        assert pids == sorted(set(pids))


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
