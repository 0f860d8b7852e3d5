"""Which room a choice opens."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from slicewire.common.nvml.facts import ComputeMode, NodeFacts
from slicewire.common.nvml.real import RealNvml
from slicewire.common.nvml.refusal import NvmlRefused
from slicewire.common.nvml.rooms import NvmlSettings, Room, open_nvml
from slicewire.common.nvml.simulated import SimulatedNvml
from slicewire.common.settings import BadSettings
from tests.nvmlstub import built

NOWHERE = "/nowhere/libnvidia-ml.so.1"


@pytest.mark.parametrize(
    ("room", "names_a_state_file", "opens"),
    [
        ("real", True, RealNvml),
        ("simulated", True, SimulatedNvml),
        ("auto", True, SimulatedNvml),
        ("auto", False, RealNvml),
    ],
)
def test_without_a_driver_auto_simulates_only_where_a_state_file_is_named(
    tmp_path: Path, room: Room, names_a_state_file: bool, opens: type
) -> None:
    state = str(tmp_path / "state.json") if names_a_state_file else ""
    nvml = open_nvml(NvmlSettings(room=room, library=NOWHERE, state=state, node="node-a"))
    assert isinstance(nvml, opens)
    nvml.close()


def test_auto_is_the_real_room_where_nvml_sees_a_gpu(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    nvml = open_nvml(NvmlSettings(library=str(built(tmp_path)), state=str(state), node="node-a"))
    assert isinstance(nvml, RealNvml)
    assert not state.exists()
    nvml.close()


def test_profile_and_number_of_gpus_are_those_chosen(tmp_path: Path) -> None:
    choice = NvmlSettings(room="simulated", state=str(tmp_path / "s.json"), profile="l40s", gpus=3, node="n")
    facts = open_nvml(choice).look()
    assert isinstance(facts, NodeFacts)
    assert [gpu.product_name for gpu in facts.gpus] == ["NVIDIA L40S"] * 3


@pytest.mark.parametrize(
    ("state", "profile", "words"),
    [
        ("", "h100", "needs a state file"),
        ("state.json", "h900", "'h900' cannot be simulated; there are h100"),
        ("file/state.json", "h100", "File exists"),
    ],
)
def test_a_choice_that_cannot_be_opened_is_bad_settings(
    tmp_path: Path, state: str, profile: str, words: str
) -> None:
    (tmp_path / "file").touch()
    path = str(tmp_path / state) if state else ""
    with pytest.raises(BadSettings, match=words):
        open_nvml(NvmlSettings(room="simulated", state=path, profile=profile, node="n"))


def test_a_simulated_gpu_is_cut_at_once_or_takes_its_time(tmp_path: Path) -> None:
    def seconds(takes_time: bool) -> float:
        state = tmp_path / str(takes_time) / "state.json"
        nvml = open_nvml(
            NvmlSettings(room="simulated", state=str(state), node="node-a", gpus=1, takes_time=takes_time)
        )
        facts = nvml.look()
        assert isinstance(facts, NodeFacts)
        nvml.set_compute_mode(facts.gpus[0].uuid, ComputeMode.DEFAULT)
        before = time.monotonic()
        with pytest.raises(NvmlRefused):
            nvml.destroy_gpu_instance(facts.gpus[0].uuid, 1)
        nvml.close()
        return time.monotonic() - before

    assert seconds(takes_time=True) >= 0.25
    assert seconds(takes_time=False) < 0.25
