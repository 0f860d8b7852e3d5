"""Which room a choice opens."""

from __future__ import annotations

from pathlib import Path

import pytest

from slicewire.common.nvml.facts import NodeFacts
from slicewire.common.nvml.real import RealNvml
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
