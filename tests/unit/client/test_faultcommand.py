"""`slicewire simulate-fault`: what it changes, what it prints, and what it says to a wrong word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from slicewire.client.faultcommand import simulate_fault
from slicewire.client.local.system import Plan, commands
from slicewire.common.nvml.facts import Event, EventKind
from slicewire.common.nvml.simulated import SimulatedNvml
from slicewire.common.nvml.simulated.state import NodeState, new_node
from slicewire.common.nvml.simulated.statefile import StateFile


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for node in ("node-a", "node-b"):
        SimulatedNvml(tmp_path / "nodes" / node / "gpus.json", new_node(node, "h100", 3)).close()
    return tmp_path


def _run(folder: Path, *arguments: str) -> Result:
    app = typer.Typer()
    app.command()(simulate_fault)
    return CliRunner().invoke(app, [*arguments, "--state", str(folder)])


def _rows(folder: Path, *arguments: str) -> Any:
    ended = _run(folder, *arguments)
    assert ended.exit_code == 0, ended.output
    return json.loads(ended.stdout)


def _node(folder: Path) -> NodeState:
    return StateFile(folder / "nodes/node-a/gpus.json").read()


def test_without_a_gpu_a_nodes_gpus_are_listed(folder: Path) -> None:
    rows = _rows(folder, "node-a")
    assert [row["gpu"] for row in rows] == ["gpu-0", "gpu-1", "gpu-2"]
    assert {row["condition"] for row in rows} == {"well"}


@pytest.mark.parametrize("name", ["1", "gpu-1", "uuid"])
def test_a_gpu_is_called_by_number_name_or_uuid(folder: Path, name: str) -> None:
    gpu = _node(folder).gpus[1].uuid if name == "uuid" else name
    rows = _rows(folder, "node-a", gpu, "lost")
    assert [row["condition"] for row in rows] == ["well", "GPU is lost", "well"]


def test_whoever_waits_for_the_node_hears_of_it(folder: Path) -> None:
    room = SimulatedNvml(folder / "nodes/node-a/gpus.json", new_node("node-a", "h100", 3))
    room.look()
    assert _run(folder, "node-a", "gpu-2", "xid=79").exit_code == 0
    assert room.wait(10) == (Event(EventKind.XID, _node(folder).gpus[2].uuid, 79),)


def test_several_things_that_befell_a_gpu_are_told_together_until_it_recovers(folder: Path) -> None:
    _rows(folder, "node-a", "0", "thermal")
    rows = _rows(folder, "node-a", "0", "ecc")
    assert rows[0]["condition"] == (
        "to be reset since XID 48; uncorrected memory errors: 1; 88 °C, slowed down;"
        " a memory row waits for a reset"
    )
    assert _rows(folder, "node-a", "0", "recover")[0]["condition"] == "well"


def test_a_gpu_is_removed_and_added(folder: Path) -> None:
    assert [row["gpu"] for row in _rows(folder, "node-a", "1", "remove")] == ["gpu-0", "gpu-2"]
    assert len(_rows(folder, "node-a", "1", "add")) == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("node-x", "0", "lost"), "no simulated node 'node-x' in {nodes}; there are node-a, node-b"),
        (("node-a", "7", "lost"), "node node-a has no GPU 7; there are 0, 1, 2"),
        (("node-a", "GPU-7", "lost"), "node node-a has no GPU 'GPU-7'; there are gpu-0, gpu-1, gpu-2"),
        (("node-a", "0"), "which fault is to befall 0? There are xid=<number>, lost, ecc"),
        (("node-a", "0", "xid"), "fault 'xid' cannot be simulated; there are xid=<number>, lost"),
        (("node-a", "1", "add"), "node node-a has a GPU 1 already"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(
    folder: Path, arguments: tuple[str, ...], words: str
) -> None:
    before = _node(folder)
    ended = _run(folder, *arguments)
    assert ended.exit_code == 1
    assert words.format(nodes=folder / "nodes") in ended.stderr
    assert _node(folder) == before


def test_where_nothing_is_simulated_it_says_how_to_begin(tmp_path: Path) -> None:
    ended = _run(tmp_path, "node-a", "0", "lost")
    assert ended.exit_code == 1
    assert "start some with `slicewire up --simulated`" in ended.stderr


def test_the_state_file_is_the_one_that_up_gives_its_agents(tmp_path: Path) -> None:
    plan = Plan(folder=tmp_path, nodes=("node-a",))
    environs = [command.environ for command in commands(plan, "")]
    named = {value for environ in environs for name, value in environ.items() if name.endswith("NVML_STATE")}
    assert named == {str(tmp_path / "nodes" / "node-a" / "gpus.json")}
