"""The stand-in for the MPS control program does what the real one is known to do, as far as it is used."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from slicewire.common.nvml.simulated import SimulatedNvml
from slicewire.common.nvml.simulated.mpscontrol import TROUBLE
from slicewire.common.nvml.simulated.state import new_node


class Node:
    def __init__(self, folder: Path) -> None:
        nvml = SimulatedNvml(folder / "node-a" / "state.json", new_node("node-a", "h100", 1))
        nvml.look()
        self.root = nvml.driver_root
        self.pipe = folder / "pipe"
        self.pipe.mkdir()

    def run(self, *options: str, said: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(**self._call(options), input=said, capture_output=True, check=False)

    @contextmanager
    def daemon(self) -> Iterator[subprocess.Popen[str]]:
        """In the foreground, as soon as it answers."""
        with subprocess.Popen(**self._call(("-f",))) as process:
            try:
                while self.run(said="get_server_list\n").returncode:
                    assert process.poll() is None
                yield process
            finally:
                process.kill()

    def _call(self, options: tuple[str, ...]) -> dict[str, Any]:
        return {
            "args": [str(self.root / "usr/bin/nvidia-cuda-mps-control"), *options],
            "env": {"CUDA_MPS_PIPE_DIRECTORY": str(self.pipe), "PATH": os.environ["PATH"]},
            "text": True,
        }


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_it_answers_keeps_what_it_is_told_and_quits(node: Node) -> None:
    with node.daemon() as process:
        told = node.run(
            said="get_default_active_thread_percentage\n"
            "set_default_active_thread_percentage 25\n"
            "set_default_device_pinned_mem_limit GPU-1 512M\n"
            "get_default_device_pinned_mem_limit GPU-1\n"
            "dance\n"
        )
        assert told.stdout.split("\n") == ["100.0", "25.0", "", "512M", "Unrecognized command: dance", ""]
        assert (node.pipe / "nvidia-cuda-mps-control.pid").read_text() == f"{process.pid}\n"
        assert node.run(said="quit\n").returncode == 0
        assert process.wait(5) == 0
    assert list(node.pipe.iterdir()) == []


def test_where_no_daemon_runs_nobody_answers(node: Node) -> None:
    asked = node.run(said="get_default_active_thread_percentage\n")
    assert (asked.returncode, asked.stdout) == (1, "Cannot find MPS control daemon process\n")


def test_it_can_be_made_to_fail(node: Node) -> None:
    (node.root / TROUBLE).parent.mkdir()
    (node.root / TROUBLE).write_text(json.dumps({"fails": "no licence"}))
    started = node.run("-f")
    assert (started.returncode, started.stderr) == (1, "no licence\n")
